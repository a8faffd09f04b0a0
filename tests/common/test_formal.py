"""Every stream block of hw/common keeps the stream contract and loses, doubles, swaps no word."""
import pytest
from amaranth import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import Reader, Writer
from hw.common.stream.arbiter import Arbiter
from hw.common.stream.crossbar import Crossbar
from hw.common.stream.fifo import FIFO
from hw.common.stream.fork import Fork
from hw.common.stream.join import Join
from hw.common.stream.register import Register
from sim.common import proofs, proofs_axi
from sim.common.formal import ProofFailed, prove
from tests.common.lite_map import lite_regs

BLOCKS = {
    **{f"fifo_{depth}": (FIFO, (3, depth), proofs.fifo) for depth in (1, 2, 3, 4, 5, 8)},
    "register": (Register, (4,), proofs.register),
    **{f"fork_{n}": (Fork, (4, n), proofs.fork) for n in (1, 2, 3)},
    "join": (Join, ((4, signed(3), 2),), proofs.join),
    **{f"arbiter_{n}": (Arbiter, (3, n), proofs.arbiter) for n in (1, 2, 3, 4, 5)},
    "crossbar_2x3": (Crossbar, (3, 2, 3), proofs.crossbar),
    "crossbar_3x2": (Crossbar, (3, 3, 2), proofs.crossbar),
    "crossbar_4x4": (Crossbar, (3, 4, 4), proofs.crossbar),
}


def test_register_file_is_proven():
    prove(lite_regs(), "lite_regs", properties=proofs.lite_regs)


DMA = {"reader": (Reader, proofs_axi.reader, ("r",)), "writer": (Writer, proofs_axi.writer, ("b",))}


@pytest.mark.parametrize("name", DMA)
def test_dma_stays_in_the_window(name):
    """In every run of 8 cycles; the rare cases are reached in longer ones."""
    block, properties, never_wait = DMA[name]
    # Bursts of 2: yices 2.6.5 dies on the covers of longer ones. test_dma_formal has bursts of 3.
    prove(block(14, 64, beats_bits=5, max_burst=2, outstanding=2), name, properties=properties,
          bound=8, cover_depth=24, never_wait=never_wait)


@pytest.mark.regress
@pytest.mark.parametrize("name, bound", [("reader", 12), ("writer", 10)])
def test_dma_stays_in_the_window_for_longer(name, bound):
    block, properties, never_wait = DMA[name]
    prove(block(13, 64, beats_bits=3, max_burst=2, outstanding=2, buffer=2), f"{name}_longer",
          properties=properties, bound=bound, cover_depth=0, never_wait=never_wait)


@pytest.mark.parametrize("name", BLOCKS)
def test_block_is_proven(name):
    block, parameters, properties = BLOCKS[name]
    prove(block(*parameters), name, properties=properties)


class Wrapless(FIFO):
    """Rows do not wrap around: reads and writes rows that are not there."""
    def _after(self, row):
        return row + 1


class Fickle(wiring.Component):
    """Offers a word every other cycle, taken or not."""
    i: In(stream.Signature(4))
    o: Out(stream.Signature(4))

    def elaborate(self, platform):
        m = Module()
        turn = Signal()
        m.d.sync += turn.eq(~turn)
        m.d.comb += [self.o.valid.eq(self.i.valid & turn), self.o.payload.eq(self.i.payload),
                     self.i.ready.eq(self.o.ready & turn)]
        return m


class Dead(Fickle):
    """Keeps the contract by never doing anything."""
    def elaborate(self, platform):
        return Module()


class Doubling(Register):
    """Offers each word again after it was taken, until the next one comes."""
    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(self.o.ready | ~self.o.valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(self.i.payload)]
        return m


@pytest.mark.parametrize("block, parameters, properties, why", [
    (Wrapless, (3, 3), proofs.fifo, "not inductive"),
    (Fickle, (), None, "an assertion fails"),
    (Dead, (), None, "cover is out of reach"),
    (Doubling, (4,), proofs.register, "an assertion fails"),
], ids=["wrapless", "fickle", "dead", "doubling"])
def test_what_is_wrong_is_refused(block, parameters, properties, why):
    name = block.__name__.lower()
    with pytest.raises(ProofFailed, match=f"{name}: .*{why}"):
        prove(block(*parameters), name, properties=properties)
