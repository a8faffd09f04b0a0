"""The host of `sim.s2engine.passes`: starts the core, waits for its last sum, keeps the counts."""
import cocotb
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout

from sim.common.bench import bench_config, start

CAUSES = 6
LIMIT_MS = 1000     # of simulated time: 10^8 cycles


@cocotb.test()
async def one_pass(dut):
    await start(dut)
    dut.limit.value = bench_config()["limit"]
    dut.run.value = 1
    await with_timeout(RisingEdge(dut.done), LIMIT_MS, "ms")
    await ClockCycles(dut.clk, 2)
    counts = [dut.groups, *(getattr(dut, f"total_{k}") for k in range(CAUSES))]
    with open("counts.txt", "w") as file:
        file.write(" ".join(str(int(count.value)) for count in counts))
