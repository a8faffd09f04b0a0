"""Every port is 0 or 1 after reset, inputs all 0."""

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge

from sim.common.bench import start


@cocotb.test()
async def no_x(dut):
    await start(dut)
    for _ in range(3):
        await RisingEdge(dut.clk)
        await ReadOnly()
        for handle in dut:
            if hasattr(handle, "value") and "sram" not in handle._name:
                value = handle.value
                assert getattr(value, "is_resolvable", True), f"{handle._name} is {value}"
