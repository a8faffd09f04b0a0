"""Bench of PE: every output in every cycle, beside golden."""
import cocotb

from golden.s2engine.pe import PE
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, reset, rng, start
from sim.common.lockstep import lockstep
from sim.s2engine.bench_mac import every
from sim.s2engine.flows import Packed, joined, packers, random_kernels


@cocotb.test()
@cocotb.parametrize(first=[0, 1], stalls=[(0.0,), (0.0, 0.3, 0.7, 1.0)])
async def lockstep_with_golden(dut, first, stalls):
    config, random = bench_config(S2Config), rng(f"{first} {stalls}")
    w, f = random_kernels(random, config, 2, 100)
    w, f = joined(w, config, eok=True), joined(f, config, eok=False)
    model = PE(w, f, config)
    packed = Packed(model, packers(config))
    west = packed.source("r_i", lambda r: (r.getrandbits(config.acc_bits), int(r.random() < 0.5)))
    await start(dut)
    dut.first.value = first
    await reset(dut)
    await lockstep(dut, packed, 800, random, p_reset=0, stalls=stalls,
                   words={"w_i": packed.source("w_i", w), "f_i": packed.source("f_i", f),
                          "r_i": west},
                   controls={"mac_enable": every(config.ratio), "first": lambda r: first})
