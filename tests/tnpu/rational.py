"""Floating point of any small format by exact fractions: slow, and shares nothing with anybody."""
from fractions import Fraction
from math import inf


def decode(fmt, bits):
    """A Fraction, ±inf, or None for NaN; and the sign."""
    sign = -1 if bits >> (fmt.bits - 1) else 1
    exponent = bits >> fmt.fraction_bits & 2 ** fmt.exponent_bits - 1
    fraction = bits & 2 ** fmt.fraction_bits - 1
    if exponent == 2 ** fmt.exponent_bits - 1:
        return (None if fraction else sign * inf), sign
    if exponent:
        fraction += 2 ** fmt.fraction_bits
    scale = Fraction(2) ** (max(exponent, 1) - fmt.bias - fmt.fraction_bits)
    return sign * fraction * scale, sign


class Rounder:
    """Finds a format's nearest number by searching all of them."""

    def __init__(self, fmt):
        self.fmt = fmt
        self.numbers = [decode(fmt, bits)[0] for bits in range(fmt.infinity)]
        # What overflow is measured against: the number that would follow the largest one.
        self.numbers.append(2 * self.numbers[-1] - self.numbers[-2])

    def __call__(self, value, sign):
        """The bits of ``value``; ``sign`` is that of a zero."""
        if value is None:
            return self.fmt.nan
        negative = value < 0 or (value == 0 and sign < 0)
        magnitude = abs(value)
        if magnitude >= self.numbers[-1]:
            bits = self.fmt.infinity
        else:
            low, high = 0, len(self.numbers) - 1       # numbers[low] <= magnitude < numbers[high]
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self.numbers[middle] <= magnitude else (low, middle)
            below, above = magnitude - self.numbers[low], self.numbers[high] - magnitude
            bits = high if (above, high % 2) < (below, low % 2) else low
        return bits | negative << (self.fmt.bits - 1)


def multiply(fmt):
    """A function of two numbers' bits that gives the product's."""
    rounder = Rounder(fmt)

    def product(a, b):
        (x, sx), (y, sy) = decode(fmt, a), decode(fmt, b)
        if x is None or y is None or {abs(x), abs(y)} == {0, inf}:
            return fmt.nan
        return rounder(sx * sy * inf if inf in (abs(x), abs(y)) else x * y, sx * sy)
    return product


def add(fmt):
    """A function of two numbers' bits that gives the sum's."""
    rounder = Rounder(fmt)

    def total(a, b):
        (x, sx), (y, sy) = decode(fmt, a), decode(fmt, b)
        if x is None or y is None or (abs(x) == abs(y) == inf and x != y):
            return fmt.nan
        infinite = [v for v in (x, y) if abs(v) == inf]
        return rounder(infinite[0] if infinite else x + y, -1 if sx == sy == -1 else 1)
    return total
