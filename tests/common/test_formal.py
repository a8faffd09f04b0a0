"""Every stream block of hw/common keeps the stream contract and loses, doubles, swaps no word."""
import pytest
from amaranth import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import CommandCheck, Reader, Writer
from hw.common.axi.lines import LineReader, LineWriter
from hw.common.stream.arbiter import Arbiter
from hw.common.stream.crossbar import Crossbar
from hw.common.stream.fifo import FIFO
from hw.common.stream.fork import Fork
from hw.common.stream.join import Join
from hw.common.stream.register import Register
from sim.common import proofs, proofs_axi, proofs_lines
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
    # Bursts of 2: yices 2.6.5 dies on the covers of longer ones.
    prove(block(14, 64, beats_bits=5, max_burst=2, outstanding=2), name, properties=properties,
          bound=8, cover_depth=24, never_wait=never_wait)


@pytest.mark.regress
@pytest.mark.parametrize("name, bound", [("reader", 12), ("writer", 10)])
@pytest.mark.parametrize("max_burst", [2, 3])
def test_dma_stays_in_the_window_for_longer(name, bound, max_burst):
    block, properties, never_wait = DMA[name]
    prove(block(14, 64, beats_bits=4, max_burst=max_burst, outstanding=2, buffer=max_burst + 1),
          f"{name}_longer", properties=properties, bound=bound, cover_depth=0,
          never_wait=never_wait)


# A run of one descriptor from the first cycle on, in a window that ends before memory does.
WINDOWED = {"DESC_COUNT": 1, "DESC_ADDR_LO": 0x400, "WINDOW_BASE_LO": 0x400,
            "WINDOW_SIZE_LO": 0x100, "WINDOW_SIZE_HI": 0}


def test_shell_stays_in_the_window():
    """Around any engine, in every run of 10 cycles: as far as the descriptor's fetch."""
    prove(proofs_axi.any_shell(**WINDOWED), "shell", properties=proofs_axi.shell, bound=10,
          cover_depth=0)


@pytest.mark.regress
@pytest.mark.parametrize("init", [{}, WINDOWED], ids=["from reset", "windowed"])
def test_shell_stays_in_the_window_for_longer(init):
    """As far as the engine's bursts."""
    prove(proofs_axi.any_shell(**init), "shell_longer", properties=proofs_axi.shell, bound=16,
          cover_depth=0)


@pytest.mark.regress
def test_shell_moves():
    """Every stream passes words, and commands outside the window end in an error."""
    prove(proofs_axi.any_shell(**WINDOWED), "shell_moves", properties=proofs_axi.shell, bound=1,
          cover_depth=18, never_wait=("memory__r", "memory__b"))


def test_commands_are_checked():
    prove(CommandCheck(14, 64, 5), "command_check", properties=proofs_axi.command_check)


@pytest.mark.parametrize("content_bits", [32, 40, 130])       # 1, 2 and 3 beats
def test_lines_are_proven(content_bits):
    for cls, properties in ((LineReader, proofs_lines.line_reader),
                            (LineWriter, proofs_lines.line_writer)):
        prove(proofs_lines.light(cls)(content_bits, 64), f"{cls.__name__.lower()}_{content_bits}",
              properties=properties)


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


class Careless(Reader):
    """Takes no notice of pages."""
    def _beat_index(self, address):
        return super()._beat_index(address) & 0


def test_a_careless_dma_is_refused():
    with pytest.raises(ProofFailed, match="an assertion fails"):
        prove(Careless(14, 64, beats_bits=4, max_burst=3, outstanding=2, buffer=4), "careless",
              properties=proofs_axi.reader, bound=8, cover_depth=0)


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
