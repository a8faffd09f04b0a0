"""Exact two's complement arithmetic: saturation, rounding, requantisation, sums.

Every function takes and returns Amaranth values, purely combinational. With ``m`` (a Module) the
intermediate results become named signals of it; without, the result is a bare expression, which
is built anew at each use.
"""
from amaranth import *


def _named(m, value, name):
    if m is None:
        return value
    signal = Signal(value.shape(), name=name)
    m.d.comb += signal.eq(value)
    return signal


def saturate(value, bits, *, m=None, name="saturated"):
    """The nearest value that ``signed(bits)`` holds; ``value`` may be signed or unsigned.

    Raises ValueError if ``bits`` is below 1.
    """
    if bits < 1:
        raise ValueError(f"bits of a saturated value must be at least 1, not {bits}")
    value = Value.cast(value)
    if not value.shape().signed:
        value = Cat(value, Const(0, 1)).as_signed()
    if len(value) <= bits:
        return _named(m, (value | Const(0, signed(bits))).as_signed(), name)
    value = _named(m, value, f"{name}_input")
    sign, above = value[-1], value[bits - 1:]
    limit = Cat((~sign).replicate(bits - 1), sign)
    fits = above.all() | ~above.any()
    return _named(m, Mux(fits, value[:bits], limit).as_signed(), name)


def round_shift_half_even(value, shift, max_shift, *, m=None, name="rounded"):
    """``value / 2**shift`` rounded to the nearest integer, halves to the even one.

    ``shift`` is an int or an unsigned value, 0 to ``max_shift`` (beyond is undefined). The result
    has the shape of ``value``, which always holds it if ``value`` is signed; an unsigned value
    gets one more bit and a sign.
    """
    value = Value.cast(value)
    if not value.shape().signed:
        value = Cat(value, Const(0, 1)).as_signed()
    if isinstance(shift, int) and not 0 <= shift <= max_shift:
        raise ValueError(f"shift must be 0 to {max_shift}, not {shift}")
    if max_shift == 0:
        return _named(m, value, name)
    scaled = Cat(Const(0, max_shift), value).as_signed()
    shifted = _named(m, scaled >> shift, f"{name}_shifted")
    fraction, floor = shifted[:max_shift], shifted[max_shift:].as_signed()
    up = fraction[-1] & (fraction[:-1].any() | floor[0])
    return _named(m, (floor + up)[:len(value)].as_signed(), name)


def requantise(acc, multiplier, shift, out_bits, *, max_shift=None, m=None, name="requantised"):
    """``saturate(round_half_even(acc * multiplier / 2**shift))`` in ``signed(out_bits)``, exactly.

    ``multiplier`` is signed or unsigned, as its shape says. ``max_shift`` bounds ``shift``; by
    default it is the constant itself, or the largest that the width of ``shift`` can say.
    """
    if max_shift is None:
        max_shift = shift if isinstance(shift, int) else 2 ** len(shift) - 1
    product = _named(m, Value.cast(acc) * Value.cast(multiplier), f"{name}_product")
    rounded = round_shift_half_even(product, shift, max_shift, m=m, name=f"{name}_rounded")
    return saturate(rounded, out_bits, m=m, name=name)


def adder_tree(values, *, m=None, name="sum"):
    """The exact sum of at least one value, as a balanced tree; wide enough for any operands."""
    values = [Value.cast(value) for value in values]
    if not values:
        raise ValueError("a sum needs at least 1 value, not 0")
    level = 0
    while len(values) > 1:
        pairs = [a + b for a, b in zip(values[::2], values[1::2], strict=False)]
        values = [_named(m, pair, f"{name}_{level}_{k}") for k, pair in enumerate(pairs)] \
            + values[len(values) & ~1:]
        level += 1
    return values[0]
