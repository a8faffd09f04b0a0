"""Bench of RF: every output in every cycle, beside golden."""
import cocotb

from golden.s2engine.rf import RF
from golden.s2engine.tokens import pack_result
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, reset, rng, start
from sim.common.lockstep import lockstep
from sim.s2engine.flows import Packed


@cocotb.test()
@cocotb.parametrize(first=[0, 1])
async def lockstep_with_golden(dut, first):
    config, random, model = bench_config(S2Config), rng(first), RF()
    result = lambda word: pack_result(word, config)    # noqa: E731
    packed = Packed(model, {"i": result, "o": result})
    west = packed.source("i", lambda r: (r.getrandbits(config.acc_bits), int(r.random() < 0.4)))
    await start(dut)
    dut.first.value = first
    await reset(dut)
    await lockstep(dut, packed, 1500, random, {"i": west}, controls={
        "first": lambda r: first, "sum": lambda r: r.getrandbits(config.acc_bits),
        "done": lambda r: int(model.own is None and r.random() < 0.4)})
