"""The runner: a bench passes or fails in both simulators, and says why."""

import pytest
from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from sim.common.runner import SIMULATORS, BenchFailed, simulate


class Adder(wiring.Component):
    """Adds `k` to each word of a stream, one register deep."""

    def __init__(self, k):
        self.k = k
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        full = Signal()
        m.d.comb += [self.i.ready.eq(~full | self.o.ready), self.o.valid.eq(full)]
        with m.If(self.i.ready):
            m.d.sync += [full.eq(self.i.valid), self.o.payload.eq(self.i.payload + self.k)]
        return m


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_passes(simulator):
    simulate(Adder(3), "tests.common.bench_adder", simulator=simulator, config={"k": 3})


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_fails_with_the_message(simulator):
    with pytest.raises(BenchFailed, match=r"adds.*AssertionError.*wrong sum"):
        simulate(Adder(4), "tests.common.bench_adder", simulator=simulator, config={"k": 3})
