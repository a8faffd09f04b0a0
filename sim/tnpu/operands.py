"""Pairs of binary32 operands: every corner with every other one, and random ones drawn to hurt.

Uniform bits almost never cancel, tie or round to a subnormal; each kind below does one of those.
"""
from itertools import product

import numpy as np

EXPONENTS = (0, 1, 2, 24, 103, 104, 126, 127, 128, 150, 151, 253, 254, 255)
FRACTIONS = (0, 1, 2, 0x2AAAAA, 0x3FFFFF, 0x400000, 0x400001, 0x7FFFFE, 0x7FFFFF)


def corners():
    """All pairs of signs × exponents × fractions: zeros, subnormals and NaNs among them."""
    numbers = [sign << 31 | exponent << 23 | fraction
               for sign, exponent, fraction in product((0, 1), EXPONENTS, FRACTIONS)]
    a, b = np.meshgrid(np.array(numbers, np.uint32), np.array(numbers, np.uint32))
    return a.ravel(), b.ravel()


def _assemble(sign, exponent, fraction):
    return (sign.astype(np.uint32) << np.uint32(31)
            | np.clip(exponent, 0, 255).astype(np.uint32) << np.uint32(23)
            | fraction.astype(np.uint32))


def _sparse(rng, count):
    """Fractions with few ones or few zeros, so that ties and long carries are common."""
    low, high = rng.integers(0, 24, (2, count))
    fraction = (1 << high) - (1 << np.minimum(low, high)) & 0x7FFFFF
    return np.where(rng.integers(0, 4, count) == 0, rng.integers(0, 1 << 23, count), fraction)


def _pairs(rng, count, exponents):
    """Operands with the exponents given for each, sparse fractions and any signs."""
    a, b = (_assemble(rng.integers(0, 2, count), exponent, _sparse(rng, count))
            for exponent in exponents)
    return a, b


def _uniform(rng, count):
    return tuple(rng.integers(0, 1 << 32, (2, count), dtype=np.uint32))


def _near(rng, count):
    """Exponents up to 27 apart: alignment, ties of sums, subnormal sums."""
    a = rng.integers(0, 256, count)
    return _pairs(rng, count, (a, a + rng.integers(-27, 28, count)))


def _cancel(rng, count):
    """b is -a but for a few units in the last place, or a factor of two."""
    a = rng.integers(0, 1 << 32, count, dtype=np.uint32)
    b = (a ^ np.uint32(1 << 31)) + rng.integers(-4, 5, count).astype(np.uint32)
    return a, b + (rng.integers(-1, 2, count) << 23).astype(np.uint32)


def _product_near(middle):
    def kind(rng, count):
        a = rng.integers(0, 256, count)
        return _pairs(rng, count, (a, middle + rng.integers(-3, 4, count) - a))
    return kind


def _underflow(rng, count):
    """Products around the subnormals, from the smallest normal to what rounds to zero."""
    a = rng.integers(0, 128, count)
    return _pairs(rng, count, (a, rng.integers(99, 131, count) - a))


def _halfway(rng, count):
    """Products of short significands: with 25 and 26 bits many of them are ties."""
    bits = rng.integers(11, 15, (2, count))
    short = [(rng.integers(0, 1 << 23, count) >> 23 - bits[k]) << 23 - bits[k] for k in range(2)]
    a = rng.integers(1, 255, count)
    sign = rng.integers(0, 2, (2, count))
    return (_assemble(sign[0], a, short[0]),
            _assemble(sign[1], rng.integers(100, 384, count) - a, short[1]))


def _small(rng, count):
    """A subnormal and anything."""
    a = _sparse(rng, count) >> rng.integers(0, 23, count)
    sign = rng.integers(0, 2, count)
    return (_assemble(sign, np.zeros(count, int), a),
            rng.integers(0, 1 << 32, count, dtype=np.uint32))


def _both_in(first, last):
    """Exponents in this range: of the largest numbers, sums overflow; of the smallest, not."""
    def kind(rng, count):
        return _pairs(rng, count, rng.integers(first, last + 1, (2, count)))
    return kind


KINDS = (_uniform, _near, _cancel, _product_near(127), _product_near(381), _underflow, _halfway,
         _small, _both_in(252, 254), _both_in(0, 2))


def random_pairs(count, seed):
    """``count`` pairs, of all kinds in turn, in both orders: two arrays of uint32."""
    rng = np.random.default_rng(seed)
    a, b = np.empty(count, np.uint32), np.empty(count, np.uint32)
    for k, kind in enumerate(KINDS):
        a[k::len(KINDS)], b[k::len(KINDS)] = kind(rng, len(a[k::len(KINDS)]))
    swap = rng.integers(0, 2, count, dtype=bool)
    return np.where(swap, b, a), np.where(swap, a, b)
