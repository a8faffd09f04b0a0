"""Floating point as IEEE 754 says: a multiplier and an adder, rounding to nearest, ties to even.

Subnormals, infinities and signed zeros are the standard's; every NaN that comes out is the format's
canonical one (positive, quiet, no payload; binary32: 0x7FC00000). Both units are pipelines without
control: operands may come in every cycle, and their result leaves ``latency`` cycles later.

Ref: Li et al., "TNPU", ASP-DAC 2019, Section 4.1: conventional 32-bit floating point operators.
"""
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.check import require


@dataclass(frozen=True)
class Format:
    """A binary interchange format. Those smaller than binary32 can be tested on all operands."""

    exponent_bits: int = 8
    fraction_bits: int = 23

    @property
    def bits(self):
        """Of a number: sign, exponent, fraction, from the top."""
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def bias(self):
        """Exponent field of 1.0."""
        return 2 ** (self.exponent_bits - 1) - 1

    @property
    def infinity(self):
        """The bits of +infinity."""
        return (2 ** self.exponent_bits - 1) << self.fraction_bits

    @property
    def nan(self):
        """The bits of every NaN result."""
        return self.infinity | 1 << (self.fraction_bits - 1)


BINARY32 = Format()


def unpack(fmt, number):
    """The parts of a number, as expressions. A subnormal's exponent is that of the smallest normal
    number, 1, and its significand lacks the leading bit."""
    fraction, exponent = number[:fmt.fraction_bits], number[fmt.fraction_bits:-1]
    normal, top = exponent.any(), exponent.all()
    return SimpleNamespace(
        sign=number[-1], exponent=Cat(exponent[0] | ~normal, exponent[1:]),
        significand=Cat(fraction, normal), zero=~number[:-1].any(),
        infinite=top & ~fraction.any(), nan=top & fraction.any())


class _Unit(wiring.Component):
    """What both units are: named steps in a row, registers at the end of some of them.

    Between the steps a number is ``value``, whose top bit counts 2^(``room`` + 1 - bias): ``room``
    is how far it can go left until the exponent is the smallest there is.
    """

    # Latency -> steps that end with a register: of all choices the one with the shortest longest
    # path in binary32 on osu018, without wires.
    CUTS: ClassVar[dict[int, tuple[str, ...]]] = {}

    def __init__(self, latency, fmt=BINARY32):
        name = type(self).__name__
        require(self, latency in self.CUTS,
                f"latency of a {name} must be 1 to {len(self.CUTS)}, not {latency}")
        require(self, fmt.exponent_bits >= 2 and fmt.fraction_bits >= 2,
                f"exponent_bits and fraction_bits of a {name} must be at least 2, not "
                f"{fmt.exponent_bits} and {fmt.fraction_bits}")
        self.latency = latency
        self.fmt = fmt
        super().__init__({"a": In(fmt.bits), "b": In(fmt.bits), "o": Out(fmt.bits)})

    def _step(self, m, name, **values):
        """The values at the end of a step: signals, in registers if a cut is there.

        Data need no reset: what a pipeline holds before its first operands belongs to nobody.
        """
        cut = name in self.CUTS[self.latency]
        signals = {}
        for key, value in values.items():
            value = Value.cast(value)
            signals[key] = Signal(value.shape(), name=f"{name}_{key}", reset_less=cut)
            m.d["sync" if cut else "comb"] += signals[key].eq(value)
        return SimpleNamespace(**signals)

    def _count(self, m, value, room, most):
        """Zeros above the highest one of ``value``, or ``room`` if that is less.

        A one that is put where ``room`` ends stops the count. ``value`` is 0 (then the count is
        anything up to ``room``) or has at most ``most`` zeros there, if ``room`` is not less.
        """
        bits = most.bit_length()
        stopped = Signal(1 << bits)
        stop = Const(1 << (len(value) - 1), len(value)) >> room
        m.d.comb += stopped.eq(Cat(Const(0, 1 << bits), value | stop)[-(1 << bits):])
        count, rest = Signal(bits), stopped
        for k in reversed(range(bits)):
            upper, lower = rest[1 << k:], rest[:1 << k]
            rest = Signal(1 << k, name=f"rest_{k}")
            m.d.comb += [count[k].eq(~upper.any()), rest.eq(Mux(count[k], lower, upper))]
        return count

    def _left(self, m, value, count):
        """``value`` shifted left by ``count``, in the same width."""
        for k, bit in enumerate(count):
            shifted = Signal(len(value), name=f"left_{k}")
            m.d.comb += shifted.eq(Mux(bit, value << (1 << k), value))
            value = shifted
        return value

    def _right(self, m, value, distance):
        """``value`` shifted right by ``distance``, and whether ones were lost."""
        width = len(value)
        amount, shifted = Signal(range(width + 1)), Signal(2 * width)
        m.d.comb += [amount.eq(Mux(distance > width, width, distance)),
                     shifted.eq(Cat(Const(0, width), value) >> amount)]
        return shifted[width:], shifted[:width].any()

    def _round(self, m, at):
        """The result from ``value`` (significand and one bit below it), ``sticky`` (there are ones
        below those), ``room``, ``sign``, ``nan`` and ``infinite``."""
        fmt = self.fmt
        half, fraction, normal = at.value[0], at.value[1:-1], at.value[-1]
        field, up = Signal(len(at.room) + 1), Signal()
        rounded = Signal(fmt.bits - 1)
        m.d.comb += [
            field.eq(Mux(normal, at.room + 1, 0)),
            up.eq(half & (at.sticky | fraction[0])),
            # All ones carry into the exponent: the next power of two, or infinity.
            rounded.eq(Cat(fraction, field[:fmt.exponent_bits]) + up),
        ]
        infinite = at.infinite | (field >= 2 ** fmt.exponent_bits - 1)
        number = Cat(Mux(infinite, fmt.infinity, rounded), at.sign)
        m.d.comb += self.o.eq(self._step(m, "round", o=Mux(at.nan, fmt.nan, number)).o)


class Multiplier(_Unit):
    """``o`` = ``a`` · ``b``, one product per cycle.

    Parameters
    ----------
    latency : int
        Cycles, 1 to 6; ``o`` is a register.
    fmt : Format

    Members
    -------
    a, b : In(fmt.bits)
    o : Out(fmt.bits)
    """

    CUTS: ClassVar[dict[int, tuple[str, ...]]] = {
        1: ("round",),
        2: ("count", "round"),
        3: ("product", "count", "round"),
        4: ("partial", "count", "shift", "round"),
        5: ("partial", "product", "count", "shift", "round"),
        6: ("unpack", "partial", "product", "count", "shift", "round"),
    }

    def elaborate(self, platform):
        m = Module()
        fmt, low = self.fmt, (self.fmt.fraction_bits + 1) // 2
        a, b = unpack(fmt, self.a), unpack(fmt, self.b)
        at = self._step(
            m, "unpack", a=a.significand, b=b.significand, sign=a.sign ^ b.sign,
            room=a.exponent + b.exponent - fmt.bias, infinite=a.infinite | b.infinite,
            nan=a.nan | b.nan | a.infinite & b.zero | a.zero & b.infinite)

        def step(name, **values):
            return self._step(m, name, sign=at.sign, nan=at.nan, infinite=at.infinite, **values)
        at = step("partial", low=at.a * at.b[:low], high=at.a * at.b[low:], room=at.room)
        at = step("product", value=(at.low + (at.high << low))[:2 * fmt.fraction_bits + 2],
                  room=at.room)
        # Below the smallest exponent the product goes right; above, left as far as it has zeros.
        tiny = Signal()
        room = Signal(fmt.exponent_bits + 1)
        m.d.comb += [tiny.eq(at.room < 0), room.eq(Mux(tiny, 0, at.room))]
        at = step("count", value=at.value, room=room, tiny=tiny,
                  right=(Mux(tiny, -at.room, 0))[:fmt.exponent_bits],
                  left=self._count(m, at.value, room, fmt.fraction_bits + 1))
        left = self._left(m, at.value, at.left)
        right, lost = self._right(m, at.value[fmt.fraction_bits:], at.right)
        at = step("shift", value=Mux(at.tiny, right, left[fmt.fraction_bits:]),
                  sticky=left[:fmt.fraction_bits].any() | lost, room=at.room - at.left)
        self._round(m, at)
        return m


class Adder(_Unit):
    """``o`` = ``a`` + ``b``, one sum per cycle. 0 as the difference of equal numbers is positive.

    Parameters
    ----------
    latency : int
        Cycles, 1 to 6; ``o`` is a register.
    fmt : Format

    Members
    -------
    a, b : In(fmt.bits)
    o : Out(fmt.bits)
    """

    CUTS: ClassVar[dict[int, tuple[str, ...]]] = {
        1: ("round",),
        2: ("align", "round"),
        3: ("order", "count", "round"),
        4: ("order", "align", "count", "round"),
        5: ("order", "align", "sum", "count", "round"),
        6: ("order", "align", "sum", "count", "shift", "round"),
    }

    def elaborate(self, platform):
        m = Module()
        fmt = self.fmt
        a, b = unpack(fmt, self.a), unpack(fmt, self.b)
        swap, subtract = Signal(), Signal()
        m.d.comb += [swap.eq(self.a[:-1] < self.b[:-1]), subtract.eq(a.sign ^ b.sign)]
        at = self._step(
            m, "order", large=Mux(swap, self.b, self.a), small=Mux(swap, self.a, self.b),
            subtract=subtract, infinite=a.infinite | b.infinite,
            nan=a.nan | b.nan | a.infinite & b.infinite & subtract)
        large, small = unpack(fmt, at.large), unpack(fmt, at.small)
        # Two bits and the sticky one below the significand are enough: a number that is shifted
        # by more than one leaves at least half of the other one.
        aligned, lost = self._right(m, Cat(Const(0, 2), small.significand),
                                    (large.exponent - small.exponent)[:fmt.exponent_bits])

        def step(name, **values):
            return self._step(m, name, nan=at.nan, infinite=at.infinite, **values)
        at = step("align", large=large.significand, small=Cat(lost, aligned), sign=large.sign,
                  room=large.exponent, subtract=at.subtract)
        total = Signal(fmt.fraction_bits + 5)
        x = Cat(Const(0, 3), at.large)
        m.d.comb += total.eq(Mux(at.subtract, x - at.small, x + at.small))
        at = step("sum", value=total, sign=at.sign, room=at.room, subtract=at.subtract)
        at = step("count", value=at.value, room=at.room,
                  left=self._count(m, at.value, at.room, fmt.fraction_bits + 4),
                  sign=at.sign & ~(at.subtract & ~at.value.any()))
        left = self._left(m, at.value, at.left)
        at = step("shift", value=left[3:], sticky=left[:3].any(), sign=at.sign,
                  room=at.room - at.left)
        self._round(m, at)
        return m
