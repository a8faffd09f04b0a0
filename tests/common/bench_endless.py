"""A bench that never ends."""

import cocotb
from cocotb.triggers import RisingEdge

from sim.common.bench import start


@cocotb.test()
async def endless(dut):
    await start(dut)
    while True:
        await RisingEdge(dut.clk)
