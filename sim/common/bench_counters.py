"""Bench of CauseCounters: every counter in every cycle, wrapping; the sum of all."""
import cocotb
from cocotb.triggers import ClockCycles

from golden import counters
from sim.common.bench import bench_config, rng, start
from sim.common.lockstep import lockstep


@cocotb.test()
async def lockstep_with_golden(dut):
    config = bench_config()
    bits = len(dut.cause__0)
    model = counters.CauseCounters(**config)
    await start(dut)
    await lockstep(dut, model, 2000, rng(), {}, controls={
        **dict.fromkeys(model.codes, lambda r: r.getrandbits(bits)),    # also what is no cause
        "enable": lambda r: r.random() < 0.8,
        "clear": lambda r: r.random() < 0.01,
    })


@cocotb.test()
async def counters_sum_to_all_cycles(dut):
    config, random, cycles = bench_config(), rng(), 7
    await start(dut)
    dut.enable.value = 1
    for _ in range(cycles):
        for k in range(config["sources"]):
            getattr(dut, f"cause__{k}").value = random.randrange(config["causes"])
        await ClockCycles(dut.clk, 1)
    dut.enable.value = 0
    await ClockCycles(dut.clk, 2)
    total = sum(int(getattr(dut, f"count__{k}").value) for k in range(config["causes"]))
    assert total % 2**config["width"] == cycles * config["sources"] % 2**config["width"]
