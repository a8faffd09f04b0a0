"""Two Mixers in a row beside the same in plain Python."""

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from sim.common.bench import rng, start


class Mixer:
    def __init__(self):
        self.table, self.registered, self.state = list(range(100, 228)), 0, 0

    def look(self, a, b, wide):
        return {"registered": self.registered, "sum": (a + b) % 2**41,
                "looked_up": self.table[a], "state": self.state,
                "parity": wide.bit_count() % 2}

    def step(self, a, b, wide):
        if self.state:
            self.table[a] = b % 2**12
        self.registered = (wide + (a + b) % 2**41) % 2**130
        self.state = 1 ^ self.state ^ a & 1


@cocotb.test()
async def as_the_model(dut):
    random, first, second = rng(), Mixer(), Mixer()
    await start(dut)
    await FallingEdge(dut.clk)
    for cycle in range(300):
        given = [random.getrandbits(width) for width in (7, 40, 130)]
        for name, value in zip(("a", "b", "wide"), given, strict=True):
            getattr(dut, name).value = value
        await RisingEdge(dut.clk)
        between = first.look(*given)
        passed = (between["looked_up"] % 2**7, between["sum"] % 2**40, between["registered"])
        for name, value in second.look(*passed).items():
            assert int(getattr(dut, name).value) == value, (cycle, name)
        first.step(*given)
        second.step(*passed)
        await FallingEdge(dut.clk)
