"""Several streams to several, each word to the output that it names."""
from functools import cached_property

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.check import require
from hw.common.stream.arbiter import Arbiter


def routed_layout(shape, outputs):
    """A word with the number of the output that it goes to: ``data`` below ``dest``."""
    return data.StructLayout({"data": shape, "dest": range(outputs)})


class Crossbar(wiring.Component):
    """Routes each input word to output ``dest``; inputs that want one output take turns.

    Words from one input to one output keep their order. Throughput: one word per cycle and output,
    whatever the other outputs do; an input whose word waits blocks its later words. Latency: none.
    A ``dest`` that is no output (only possible if ``outputs`` is no power of two) is never taken.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a word.
    inputs, outputs : int
        At least 1 each.

    Members
    -------
    i : In(stream.Signature(routed_layout(shape, outputs))).array(inputs)
    o : Out(stream.Signature(shape)).array(outputs)
    """
    def __init__(self, shape, inputs, outputs):
        require(self, inputs >= 1 and outputs >= 1,
                f"a Crossbar needs at least 1 input and 1 output, not {inputs} and {outputs}")
        self.shape = shape
        self.inputs = inputs
        self.outputs = outputs
        super().__init__({
            "i": In(stream.Signature(routed_layout(shape, outputs))).array(inputs),
            "o": Out(stream.Signature(shape)).array(outputs),
        })

    @cached_property
    def arbiters(self):
        """One per output. Made at first use: a crossbar that is never elaborated has none."""
        return [Arbiter(self.shape, self.inputs) for _ in range(self.outputs)]

    def elaborate(self, platform):
        m = Module()
        for j, arbiter in enumerate(self.arbiters):
            m.submodules[f"arbiter_{j}"] = arbiter
            wiring.connect(m, arbiter.o, wiring.flipped(self.o[j]))
            for k, i in enumerate(self.i):
                m.d.comb += [
                    arbiter.i[k].payload.eq(i.p.data),
                    arbiter.i[k].valid.eq(i.valid & (i.p.dest == j)),
                ]
        for k, i in enumerate(self.i):
            # At most one arbiter sees this input's valid, so at most one is ready.
            m.d.comb += i.ready.eq(Cat(a.i[k].ready for a in self.arbiters).any())
        return m
