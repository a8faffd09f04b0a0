"""Blocks as C++ models of their own: the paths through them, and what comes out."""

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared
from hw.emit import emit
from sim.common import blocks
from sim.common.runner import simulate
from tests.common.test_runner import Adder, Row

PORTS = {"a": In(7), "b": In(40), "wide": In(130), "registered": Out(130), "sum": Out(41),
         "looked_up": Out(12), "state": Out(1), "parity": Out(1)}


class Mixer(wiring.Component):
    """An output for each kind of way through a block, of each kind of C++ type."""

    def __init__(self):
        super().__init__(PORTS)

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = table = Memory(shape=12, depth=128, init=range(100, 228))
        write, read = table.write_port(), table.read_port(domain="comb")
        total = Signal(41)
        m.d.comb += [total.eq(self.a + self.b), self.sum.eq(total), read.addr.eq(self.a),
                     self.looked_up.eq(read.data), write.en.eq(self.state),
                     write.addr.eq(self.a), write.data.eq(self.b), self.parity.eq(self.wide.xor())]
        m.d.sync += [self.registered.eq(self.wide + total), self.state.eq(~self.state ^ self.a[0])]
        return m


class Mixers(wiring.Component):
    """A chain of two: the second takes what comes out of the first."""

    def __init__(self):
        super().__init__(PORTS)

    def elaborate(self, platform):
        m = Module()
        m.submodules.first = first = Shared(Mixer)
        m.submodules.second = second = Shared(Mixer)
        m.d.comb += [first.a.eq(self.a), first.b.eq(self.b), first.wide.eq(self.wide),
                     second.a.eq(first.looked_up), second.b.eq(first.sum),
                     second.wide.eq(first.registered)]
        for name in ("registered", "sum", "looked_up", "state", "parity"):
            m.d.comb += getattr(self, name).eq(getattr(second, name))
        return m


class Nest(wiring.Component):
    """The chain as a block with blocks in it."""

    def __init__(self):
        super().__init__(PORTS)

    def elaborate(self, platform):
        m = Module()
        m.submodules.chain = chain = Shared(Mixers)
        wiring.connect(m, wiring.flipped(self), chain)
        return m


def test_paths():
    assert blocks.through(emit(Mixer(), "Mixer").verilog, "Mixer") == {
        "registered": set(), "sum": {"a", "b"}, "looked_up": {"a"}, "state": set(),
        "parity": {"wide"}}


def test_paths_through_instances():
    verilog = emit(Row(), "Row").verilog
    assert blocks.through(verilog, "Adder") == {
        "i__ready": {"o__ready"}, "o__valid": set(), "o__payload": set()}
    assert blocks.through(verilog, "Row") == blocks.through(verilog, "Adder")


def test_ports():
    found = {p.name: (p.direction, p.width)
             for p in blocks.ports(emit(Adder(3), "Adder").verilog, "Adder")}
    assert found == {"rst": ("input", 1), "i__payload": ("input", 8), "i__valid": ("input", 1),
                     "i__ready": ("output", 1), "o__payload": ("output", 8),
                     "o__valid": ("output", 1), "o__ready": ("input", 1)}


@pytest.mark.parametrize("hier", [(), (Mixer,), (Mixers, Mixer)])
def test_same_as_in_one_piece(hier):
    """Every output in every cycle as the same design gives it, blocks or not."""
    simulate(Nest(), "tests.common.bench_mixers", simulator="verilator", hier=hier)
