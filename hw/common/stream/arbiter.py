"""Several streams to one, in turn."""
from functools import reduce
from operator import or_

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.check import require


def lowest(bits):
    """The lowest set bit alone, as a one-hot value of the same width (0 if none is set)."""
    return (bits & -bits)[:len(bits)]


def pick(select, words):
    """The word whose bit of the one-hot ``select`` is set; 0 if none is."""
    return reduce(or_, (Value.cast(word) & select[k].replicate(len(Value.cast(word)))
                        for k, word in enumerate(words)))


class Arbiter(wiring.Component):
    """Offers the words of ``n`` inputs at one output, round robin.

    The turn goes to the first valid input after the one that was served last (after reset: from
    input 0), so a waiting input sees at most ``n - 1`` words of others. A word once offered stays
    until taken. Throughput: one word per cycle. Latency: none.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a word.
    n : int
        Inputs, at least 1.

    Members
    -------
    i : In(stream.Signature(shape)).array(n)
    o : Out(stream.Signature(shape))
    grant : Out(n)
        The input whose word is at the output, one-hot; 0 while ``o.valid`` is low.
    """
    def __init__(self, shape, n):
        require(self, n >= 1, f"an Arbiter needs at least 1 input, not {n}")
        self.shape = shape
        self.n = n
        super().__init__({
            "i": In(stream.Signature(shape)).array(n),
            "o": Out(stream.Signature(shape)),
            "grant": Out(n),
        })
        # Inputs at or after the one whose turn it is. An input that waits at the output keeps the
        # turn; nothing else is needed to hold its word, since a valid input stays valid.
        self.turn = Signal(n)

    def elaborate(self, platform):
        m = Module()
        valid, preferred = Signal(self.n), Signal(self.n)
        m.d.comb += [
            valid.eq(Cat(i.valid for i in self.i)),
            preferred.eq(valid & self.turn),
            self.grant.eq(Mux(preferred.any(), lowest(preferred), lowest(valid))),
            self.o.valid.eq(valid.any()),
            Value.cast(self.o.payload).eq(pick(self.grant, [i.payload for i in self.i])),
        ]
        for k, i in enumerate(self.i):
            m.d.comb += i.ready.eq(self.grant[k] & self.o.ready)
        with m.If(self.o.valid):
            m.d.sync += self.turn.eq(Mux(self.o.ready, -(self.grant << 1), -self.grant))
        return m
