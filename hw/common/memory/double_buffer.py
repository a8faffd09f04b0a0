"""Two banked memories: one is filled while the other is read."""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.memory.banked import Banked, read_signature, write_signature


class DoubleBuffer(wiring.Component):
    """A writer fills one half while a reader reads the other; ``swap`` exchanges the halves.

    Each half is a ``Banked`` memory, and its rules hold: one write and one read per cycle and bank.
    A swap in cycle t counts from cycle t + 1 on: the reads of cycle t still are of the old half,
    also when their registered data come in cycle t + 1. A swap zeroes nothing, nor does a reset.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a word.
    banks, depth : int
        Of each half; at least 1 each.
    registered : bool
        As for ``Banked``.

    Members
    -------
    write : In(write_signature(shape, depth)).array(banks)
        Writes to the half being filled.
    read : In(read_signature(shape, depth)).array(banks)
        Reads from the other half.
    swap : In(1)
    filling : Out(1)
        The half being filled; 0 after reset.
    """
    def __init__(self, shape, banks, depth, *, registered=True):
        self.shape = shape
        self.banks = banks
        self.depth = depth
        self.registered = registered
        super().__init__({
            "write": In(write_signature(shape, depth)).array(banks),
            "read": In(read_signature(shape, depth)).array(banks),
            "swap": In(1),
            "filling": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        halves = [Banked(self.shape, self.banks, self.depth, registered=self.registered)
                  for _ in range(2)]
        m.submodules.half_0, m.submodules.half_1 = halves
        with m.If(self.swap):
            m.d.sync += self.filling.eq(~self.filling)
        for k in range(self.banks):
            self._bank(m, k, halves)
        return m

    def _bank(self, m, k, halves):
        source = ~self.filling
        if self.registered:
            # Data follow the address by a cycle: so must the half that they come from.
            source = Signal(init=1, name=f"source_{k}", reset_less=True)
            with m.If(self.read[k].en):
                m.d.sync += source.eq(~self.filling)
        for number, half in enumerate(halves):
            m.d.comb += [
                half.write[k].en.eq(self.write[k].en & (self.filling == number)),
                half.write[k].addr.eq(self.write[k].addr),
                half.write[k].data.eq(self.write[k].data),
                half.read[k].en.eq(self.read[k].en & (self.filling != number)),
                half.read[k].addr.eq(self.read[k].addr),
            ]
        m.d.comb += self.read[k].data.eq(
            Mux(source, halves[1].read[k].data, halves[0].read[k].data))
