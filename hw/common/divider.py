"""Division by a small number, rounded half to even."""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class AverageDivider(wiring.Component):
    """``round_half_even(i / area)``, restoring: ``bits`` cycles and one to start.

    ``start`` is held with ``i`` and ``area`` until ``ready``, ``bits`` + 1 cycles after its first
    one; ``take`` ends it. What does not fit ``bits`` is undefined.

    Parameters
    ----------
    bits : int
        Of the quotient.

    Members
    -------
    i : In(signed(bits + 16)), area : In(16)
    start, take : In(1)
    ready : Out(1)
    o : Out(signed(bits))
    """

    def __init__(self, bits):
        self.bits = bits
        super().__init__({
            "i": In(signed(self.bits + 16)),
            "area": In(16),
            "start": In(1),
            "take": In(1),
            "ready": Out(1),
            "o": Out(signed(self.bits)),
        })

    def elaborate(self, platform):
        m = Module()
        bits = self.bits
        magnitude, negative = Signal(bits + 16), Signal()
        rest, quotient = Signal(bits + 18), Signal(bits)
        count, busy = Signal(range(bits + 1)), Signal()
        m.d.comb += [negative.eq(self.i < 0), magnitude.eq(Mux(negative, -self.i, self.i))]
        trial = Signal(signed(bits + 20))
        m.d.comb += trial.eq(Cat(quotient[-1], rest) - self.area)
        with m.If(self.take):
            m.d.sync += busy.eq(0)
        with m.Elif(self.start & ~busy):
            # |i| < area * 2^bits, so the part above the quotient's bits is a valid remainder.
            m.d.sync += [busy.eq(1), count.eq(bits), rest.eq(magnitude >> bits),
                         quotient.eq(magnitude[:bits])]
        with m.Elif(count.any()):
            fits = trial >= 0
            m.d.sync += [count.eq(count - 1), quotient.eq(Cat(fits, quotient)),
                         rest.eq(Mux(fits, trial, Cat(quotient[-1], rest)))]
        double = rest << 1
        up = (double > self.area) | ((double == self.area) & quotient[0])
        result = Signal(signed(bits + 1))
        m.d.comb += [result.eq(quotient + up), self.ready.eq(busy & ~count.any()),
                     self.o.eq(Mux(negative, -result, result))]
        return m
