"""Several streams to one of tuples."""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.check import require


def join_layout(shapes):
    """The joined word: field ``k`` is the word of input ``k``, input 0 in the lowest bits."""
    fields, offset = {}, 0
    for k, shape in enumerate(shapes):
        fields[k] = data.Field(shape, offset)
        offset += Shape.cast(shape).width
    return data.FlexibleLayout(offset, fields)


class Join(wiring.Component):
    """Takes one word from every input at once and gives them as one word.

    Throughput: one word per cycle. Latency: none. All inputs are taken in the cycle in which the
    output is; an input's ``ready`` depends on the other inputs' ``valid``.

    Parameters
    ----------
    shapes : sequence of ShapeLike
        Shape of each input's word; at least one.

    Members
    -------
    i_0, i_1, ... : In(stream.Signature(shapes[k]))
    o : Out(stream.Signature(join_layout(shapes)))
        ``o.p[k]`` is the word from ``i_k``.
    """
    def __init__(self, shapes):
        self.shapes = tuple(shapes)
        require(self, self.shapes, "a Join needs at least 1 input, not 0")
        super().__init__({
            **{f"i_{k}": In(stream.Signature(shape)) for k, shape in enumerate(self.shapes)},
            "o": Out(stream.Signature(join_layout(self.shapes))),
        })

    @property
    def inputs(self):
        """The input streams, in order."""
        return [getattr(self, f"i_{k}") for k in range(len(self.shapes))]

    def elaborate(self, platform):
        m = Module()
        take = Signal()
        m.d.comb += [
            self.o.valid.eq(Cat(i.valid for i in self.inputs).all()),
            take.eq(self.o.valid & self.o.ready),
        ]
        for k, i in enumerate(self.inputs):
            m.d.comb += [self.o.p[k].eq(i.payload), i.ready.eq(take)]
        return m
