"""Bench of a multiplier or adder of a small format: given operands, one pair per cycle."""
import cocotb
from cocotb.triggers import RisingEdge

from sim.common.bench import bench_config, start


@cocotb.test()
async def every_pair(dut):
    pairs, latency = bench_config()["pairs"], bench_config()["latency"]
    await start(dut)
    for t in range(len(pairs) + latency):
        dut.a.value, dut.b.value, _ = pairs[min(t, len(pairs) - 1)]
        await RisingEdge(dut.clk)
        if t >= latency:
            a, b, expected = pairs[t - latency]
            assert int(dut.o.value) == expected, f"of {a:#x} and {b:#x}"
