"""One stream to several readers."""
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.check import require


class Fork(wiring.Component):
    """Every word goes to each of ``n`` outputs exactly once.

    An output takes its copy in its own time; the input word is taken in the cycle in which the
    last copy is. Throughput: one word per cycle while all outputs are ready. Latency: none
    (payload and valid pass through; ``i.ready`` depends on the outputs' ``ready``).

    Parameters
    ----------
    shape : ShapeLike
        Shape of a word.
    n : int
        Outputs, at least 1.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape)).array(n)
    """
    def __init__(self, shape, n):
        require(self, n >= 1, f"a Fork needs at least 1 output, not {n}")
        self.shape = shape
        self.n = n
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)).array(n),
        })
        self.done = Signal(n)              # outputs that have their copy of the present word

    def elaborate(self, platform):
        m = Module()
        now = Signal(self.n)               # outputs that have it by the end of this cycle
        m.d.comb += self.i.ready.eq(now.all())
        for k, o in enumerate(self.o):
            m.d.comb += [
                o.payload.eq(self.i.payload),
                o.valid.eq(self.i.valid & ~self.done[k]),
                now[k].eq(self.done[k] | o.ready),
            ]
        with m.If(self.i.valid):
            m.d.sync += self.done.eq(Mux(self.i.ready, 0, now))
        return m
