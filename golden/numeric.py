"""Requantisation on NumPy integers: the independent second opinion of hw/common/numeric.py.

Everything is vectorised int64 and exact as long as |value| and |acc * multiplier| stay below 2**63.
"""
import numpy as np


def limits(bits):
    """The smallest and the largest value of a signed integer of ``bits`` (1 to 63) bits."""
    return -(1 << bits - 1), (1 << bits - 1) - 1


def saturate(value, bits):
    """Each value clipped to the range of ``bits``-bit signed integers. int64 array."""
    low, high = limits(bits)
    return np.clip(np.asarray(value, np.int64), low, high)


def wrap(value, bits):
    """Each value modulo 2**bits, as a signed integer of ``bits`` (1 to 64) bits. int64 array."""
    unused = 64 - bits
    return np.asarray(value, np.int64) << unused >> unused


def round_shift_half_even(value, shift):
    """Each value / 2**shift to the nearest integer, halves to even; shift 0 to 62. int64 array.

    The remainder of the floor division decides: above a half rounds up, a half if the floor is odd.
    """
    value, shift = np.asarray(value, np.int64), np.asarray(shift, np.int64)
    floor = value >> shift
    twice = (value - (floor << shift)).astype(np.uint64) * np.uint64(2)
    unit = np.uint64(1) << shift.astype(np.uint64)
    odd = (floor & 1).astype(bool)
    return floor + ((twice > unit) | ((twice == unit) & odd))


def requantise(acc, multiplier, shift, out_bits):
    """saturate(round_half_even(acc * multiplier / 2**shift)) to ``out_bits``. int64 array."""
    product = np.asarray(acc, np.int64) * np.asarray(multiplier, np.int64)
    return saturate(round_shift_half_even(product, shift), out_bits)
