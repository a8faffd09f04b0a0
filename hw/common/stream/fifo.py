"""First-in first-out queue between two streams."""
from functools import cached_property

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.check import require


class FIFO(wiring.Component):
    """A queue of ``depth`` words; the oldest word shows at the output.

    Throughput: one word per cycle at depth 2 and above, one word every two cycles at depth 1.
    Latency: a word written in cycle t is at the output, valid, in cycle t + 1.
    Space is judged by the level at the start of the cycle: a full queue takes no word even in the
    cycle in which one leaves, so there is no combinational path from one side to the other.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a word; may be zero bits wide.
    depth : int
        Words held, at least 1; not necessarily a power of two.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    level : Out(range(depth + 1))
        Words held at the start of the cycle.
    """
    def __init__(self, shape, depth):
        require(self, depth >= 1, f"depth of a FIFO must be at least 1, not {depth}")
        self.shape = shape
        self.depth = depth
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "level": Out(range(depth + 1)),
        })
        self.head = Signal(range(depth))       # the row to be read next
        self.tail = Signal(range(depth))       # the row to be written next

    @cached_property
    def storage(self):
        """The rows. Made at first use, so that a proof can add a read port of its own."""
        return Memory(shape=self.shape, depth=self.depth, init=[])

    def elaborate(self, platform):
        m = Module()
        push, pop = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(self.level != self.depth),
            self.o.valid.eq(self.level != 0),
            push.eq(self.i.valid & self.i.ready),
            pop.eq(self.o.valid & self.o.ready),
        ]
        with m.If(push != pop):
            m.d.sync += self.level.eq(Mux(push, self.level + 1, self.level - 1))
        if Shape.cast(self.shape).width:
            self._store(m, push, pop)
        return m

    def _store(self, m, push, pop):
        if self.depth == 1:
            with m.If(push):
                m.d.sync += self.o.payload.eq(self.i.payload)
            return
        m.submodules.storage = self.storage
        write, read = self.storage.write_port(), self.storage.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(self.tail), write.data.eq(self.i.payload), write.en.eq(push),
            read.addr.eq(self.head), self.o.payload.eq(read.data),
        ]
        with m.If(push):
            m.d.sync += self.tail.eq(self._after(self.tail))
        with m.If(pop):
            m.d.sync += self.head.eq(self._after(self.head))

    def _after(self, row):
        if self.depth == 2 ** len(row):
            return row + 1
        return Mux(row == self.depth - 1, 0, row + 1)
