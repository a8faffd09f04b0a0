"""Bench of `lanes.v`: every pair of the file went through and gave what it says."""
import cocotb
from cocotb.triggers import RisingEdge

from sim.common.bench import bench_config, start


@cocotb.test()
async def every_pair(dut):
    pairs, lanes = bench_config()["pairs"], bench_config()["lanes"]
    await start(dut)
    await RisingEdge(dut.done)
    checked, wrong = int(dut.rows.value), int(dut.mismatches.value)
    assert checked == -(-len(pairs) // lanes), f"{checked} rows were checked"
    if wrong:
        a, b, expected = pairs[int(dut.row_bad.value) * lanes + int(dut.lane_bad.value)]
        raise AssertionError(f"{wrong} results differ, the first one of {a:#x} and {b:#x}: "
                             f"{int(dut.got.value):#x}, not {expected:#x}")
