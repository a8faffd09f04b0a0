"""The functions of hw/common/numeric.py as a component, so that a bench can drive them."""
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree, requantise, round_shift_half_even, saturate


class Arithmetic(wiring.Component):
    """Every function on the same operands; no clock.

    Parameters
    ----------
    acc_bits, multiplier_bits, out_bits : int
        Widths of the operands and of what is saturated.
    max_shift : int
        The largest shift.
    named : bool
        Intermediate results as named signals, or bare expressions.

    Members
    -------
    acc : In(signed(acc_bits));  multiplier : In(signed(multiplier_bits))
    shift : In(range(max_shift + 1))
    saturated, saturated_unsigned, requantised : Out(signed(out_bits))
        The second one of ``acc`` read as unsigned; the third of acc * multiplier / 2**shift.
    rounded : Out(signed(acc_bits));  rounded_unsigned : Out(signed(acc_bits + 1))
    total : Out(signed(acc_bits + 3))
        acc + multiplier + shift + acc + shift.
    """
    def __init__(self, acc_bits, multiplier_bits, out_bits, max_shift, *, named=True):
        self.out_bits = out_bits
        self.max_shift = max_shift
        self.named = named
        super().__init__({
            "acc": In(signed(acc_bits)), "multiplier": In(signed(multiplier_bits)),
            "shift": In(range(max_shift + 1)),
            "saturated": Out(signed(out_bits)), "saturated_unsigned": Out(signed(out_bits)),
            "requantised": Out(signed(out_bits)),
            "rounded": Out(signed(acc_bits)), "rounded_unsigned": Out(signed(acc_bits + 1)),
            "total": Out(signed(acc_bits + 3)),
        })

    def elaborate(self, platform):
        m = Module()
        names = m if self.named else None
        unsigned, shift = self.acc.as_unsigned(), self.shift
        m.d.comb += [
            self.saturated.eq(saturate(self.acc, self.out_bits, m=names)),
            self.saturated_unsigned.eq(saturate(unsigned, self.out_bits, m=names, name="su")),
            self.rounded.eq(round_shift_half_even(self.acc, shift, self.max_shift, m=names)),
            self.rounded_unsigned.eq(
                round_shift_half_even(unsigned, shift, self.max_shift, m=names, name="ru")),
            self.requantised.eq(requantise(self.acc, self.multiplier, shift, self.out_bits,
                                           max_shift=self.max_shift, m=names)),
            self.total.eq(adder_tree([self.acc, self.multiplier, shift, self.acc, shift],
                                     m=names)),
        ]
        return m
