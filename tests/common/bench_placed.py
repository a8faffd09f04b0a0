"""Bench of test_emit's Placed: a shared block is reset by the domain it is placed in."""

import cocotb
from cocotb.triggers import RisingEdge

from sim.common.bench import pulse, start


@cocotb.test()
async def cleared_alone(dut):
    await start(dut)
    for _ in range(5):
        await RisingEdge(dut.clk)
    await pulse(dut.clk, dut.i_clear)
    await RisingEdge(dut.clk)
    assert int(dut.o_cleared.value) == 0
    assert int(dut.o_free.value) == 6
