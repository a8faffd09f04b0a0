"""Sigmoid and tanh as the hardware has them: a table of slopes between equal steps.

Input: an integer of `data_bits`, of which `FRACTION[function]` are a fraction; output: the same
width, `data_bits` - 1 fraction bits (1 saturates). The top `table_bits` of the input choose an
interval, the others go linearly from its entry to the next one, rounded half up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

# Of 16 bits: a range of ±8, beyond which both functions are within 0.00034 of their limits.
INTEGER_BITS = 3
EXACT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "tanh": np.tanh}


def input_fraction(data_bits: int) -> int:
    """Fraction bits of the input."""
    return data_bits - 1 - INTEGER_BITS


@cache
def table(function: str, data_bits: int, table_bits: int) -> np.ndarray:
    """The entries, int64 [2^table_bits + 1], from the most negative input up."""
    if function not in EXACT:
        raise ValueError(f"function must be one of {', '.join(EXACT)}, not {function}")
    if not 1 <= table_bits < data_bits:
        raise ValueError(f"table_bits must be 1 to {data_bits - 1}, not {table_bits}")
    steps = np.arange((1 << table_bits) + 1) - (1 << (table_bits - 1))
    x = steps * 2.0 ** (INTEGER_BITS + 1 - table_bits)
    one = 1 << (data_bits - 1)
    return np.minimum(np.rint(EXACT[function](x) * one), one - 1).astype(np.int64)


def apply(function: str, values: np.ndarray, data_bits: int, table_bits: int) -> np.ndarray:
    """The function of integers of `data_bits`, as integers: int64 of the same shape."""
    entries = table(function, data_bits, table_bits)
    low = data_bits - table_bits
    raw = np.asarray(values, np.int64) + (1 << (data_bits - 1))
    if raw.size and (raw.min() < 0 or raw.max() >> data_bits):
        raise ValueError(f"values must be of {data_bits} bits")
    at, part = raw >> low, raw & (1 << low) - 1
    half = 1 << (low - 1)
    return entries[at] + (((entries[at + 1] - entries[at]) * part + half) >> low)


def largest_error(function: str, data_bits: int, table_bits: int) -> float:
    """Over all inputs, against the exact function of the input's value."""
    values = np.arange(-(1 << (data_bits - 1)), 1 << (data_bits - 1))
    exact = EXACT[function](values * 2.0 ** -input_fraction(data_bits))
    got = apply(function, values, data_bits, table_bits) * 2.0 ** (1 - data_bits)
    return float(np.abs(got - exact).max())
