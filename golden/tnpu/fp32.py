"""binary32 arithmetic as the hardware does it, on NumPy arrays of float32.

Each operation rounds on its own, to nearest, ties to even; what is not a number is always NAN.
NumPy's float32 is that but for the payload and the sign of NaNs, which depend on the processor.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

F32 = NDArray[np.float32]

NAN = np.uint32(0x7FC00000).view(np.float32)


def canonical(values: ArrayLike) -> F32:
    """float32 with every NaN replaced by NAN."""
    values = np.asarray(values, np.float32)
    return np.where(np.isnan(values), NAN, values)


def multiply(a: ArrayLike, b: ArrayLike) -> F32:
    """Products, element by element."""
    with np.errstate(all="ignore"):
        return canonical(np.multiply(a, b, dtype=np.float32))


def add(a: ArrayLike, b: ArrayLike) -> F32:
    """Sums, element by element."""
    with np.errstate(all="ignore"):
        return canonical(np.add(a, b, dtype=np.float32))


def to_bits(values: ArrayLike) -> NDArray[np.uint32]:
    """The bits of float32 values."""
    return np.asarray(values, np.float32, order="C").view(np.uint32)


def from_bits(bits: ArrayLike) -> F32:
    """The float32 values of bits."""
    return np.asarray(bits, np.uint32, order="C").view(np.float32)


# Some libraries switch subnormals off for the whole process: every figure would be wrong, quietly.
_smallest_normal = from_bits(np.full(16, 0x0080_0000))
assert (to_bits(multiply(_smallest_normal, np.float32(0.5))) == 0x0040_0000).all() \
    and (to_bits(add(from_bits(np.full(16, 1)), from_bits(np.full(16, 1)))) == 2).all(), \
    "this process flushes float32 subnormals to zero: something set the processor's FTZ or DAZ bit"
