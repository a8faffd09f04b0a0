"""Register stage that cuts every path of a stream."""
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Register(wiring.Component):
    """Two words of elastic storage; valid, payload and ready all come out of flip-flops.

    Throughput: one word per cycle. Latency: one cycle. It holds at most two words.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a word.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))
    """
    def __init__(self, shape):
        self.shape = shape
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
        })
        self.spare = Signal(shape)         # the word that came while the output was stalled
        self.spare_valid = Signal()

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(~self.spare_valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += self.spare.eq(self.i.payload)
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [
                self.o.valid.eq(self.spare_valid | self.i.valid),
                self.o.payload.eq(Mux(self.spare_valid, self.spare, self.i.payload)),
                self.spare_valid.eq(0),
            ]
        with m.Elif(self.i.valid):
            m.d.sync += self.spare_valid.eq(1)
        return m
