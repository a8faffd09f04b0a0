"""Run-length coding of sparse blocks, many blocks at once.

An element is (value, run): `run` zeros, then the value. A gap longer than ``2^index_bits - 1``
takes placeholders (0, longest run), each of which advances ``2^index_bits`` positions. Canonical:
no trailing placeholders, no other zero values.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Elements(NamedTuple):
    """Elements of all blocks in order; one-dimensional arrays of one length."""

    block: np.ndarray       # int64
    index: np.ndarray  # type: ignore[assignment]  # int64: of the element in its block
    value: np.ndarray       # int64: 0 for placeholders
    run: np.ndarray         # int64
    position: np.ndarray    # int64: of the value (of a placeholder: where it ends)


def encode(block: np.ndarray, position: np.ndarray, value: np.ndarray,
           index_bits: int) -> Elements:
    """Elements of non-zero `value`s at ascending `position`s within non-descending `block`s."""
    block, position, value = (np.asarray(a, np.int64) for a in (block, position, value))
    if not len(block):
        return Elements(block, block, value, block, position)
    begins = np.ones(len(block), bool)
    begins[1:] = block[1:] != block[:-1]
    gap = position - 1
    gap[1:] -= position[:-1]
    gap[begins] = position[begins]
    holders = gap >> index_bits
    count = holders + 1
    end = np.cumsum(count)                      # one past the value's element
    total, longest = int(end[-1]), (1 << index_bits) - 1
    source = np.repeat(np.arange(len(block)), count)
    at = np.arange(total)
    before = end[source] - 1 - at               # elements until the value: 0 at the value itself
    real = before == 0
    last = gap & longest
    where = position[source] - np.where(real, 0, last[source] + 1 + (before - 1 << index_bits))
    first = np.zeros(len(block), np.int64)
    first[begins] = (end - count)[begins]
    np.maximum.accumulate(first, out=first)
    return Elements(block[source], at - first[source], np.where(real, value[source], 0),
                    np.where(real, last[source], longest), where)


def decode(block: np.ndarray, value: np.ndarray, run: np.ndarray) -> tuple[np.ndarray, ...]:
    """(block, position, value) of the non-zero values of elements in order; blocks ascend."""
    block, value, run = (np.asarray(a, np.int64) for a in (block, value, run))
    if not len(block):
        return block, block, value
    step = np.cumsum(run + 1)
    begins = np.ones(len(block), bool)
    begins[1:] = block[1:] != block[:-1]
    base = np.zeros(len(block), np.int64)
    base[begins] = (step - run - 1)[begins]
    np.maximum.accumulate(base, out=base)
    keep = value != 0
    return block[keep], (step - base - 1)[keep], value[keep]


def worst_elements(rows: int, width: int, pitch: int, index_bits: int) -> int:
    """Elements that a tile of `rows` × `width` positions can need at most, rows `pitch` apart."""
    if rows < 1 or width < 1:
        return 0
    return rows * width + (rows - 1) * ((pitch - width) >> index_bits)
