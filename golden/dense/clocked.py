"""The naive systolic array between its buffers and edges, cycle by cycle, compiled.

Follows ``hw/dense/core.py``. The array is rigid: in a cycle all of it moves or nothing does, so
*array time* counts the cycles in which it moves, and the result of row i and column j of a sum
whose last term was issued at array time e is at the edge at e + 1 + cols + i + j.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import njit
from golden.s2engine.clocked import EMPTY_ROW, EOG, EOK

MULTIPLY, SELECT, STARVED_W, STARVED_F, DRAIN, BLOCKED = range(6)
TIME, SINCE, BEGINS, ISSUED, STATES = range(5)


class Rigid(NamedTuple):
    """State of the array; int64."""

    s: np.ndarray           # array time; terms since the last sum's last; a group begins; sums
    lasts: np.ndarray       # by sum: array time of its last term
    sum: np.ndarray         # [rows]: the sum whose result the row's edge sees next
    column: np.ndarray      # [rows]
    taken: np.ndarray       # [rows]: it has been taken already


def rigid(rows: int, cols: int, sums: int) -> Rigid:
    """An empty array that will see so many sums."""
    state = np.zeros(STATES, np.int64)
    state[SINCE], state[BEGINS] = cols, 1
    return Rigid(state, np.zeros(sums, np.int64), *np.zeros((3, rows), np.int64))


@njit
def issues(r, c, parts, groups, f_level, w_level, w_token, cols, running, takes, causes):
    """Whether a term goes into the array that moves in this cycle; counts the cause. `parts`
    [tiles, rows], `groups` of a tile: as `golden.s2engine.clocked.ces_step` has them. Fills
    `takes`: by row, FB's token is taken. Returns (issued, groups that begin to be read)."""
    rows = len(f_level)
    has_w = w_level.min() > 0
    has_f = True
    for i in range(rows):
        empty = c.waiting[i] and c.parts[i, 0] & EMPTY_ROW
        has_f = has_f and c.waiting[i] > 0 and (empty or f_level[i] > 0)
    last = has_w and w_token[0] & EOK
    may = not last or r.s[SINCE] == cols
    go = running and has_w and has_f and may
    if running:
        cause = MULTIPLY if go else STARVED_W if not has_w else STARVED_F if not has_f else DRAIN
        causes[cause] += rows * cols
    reads = 0
    for i in range(rows):
        takes[i] = go and not c.parts[i, 0] & EMPTY_ROW
        reads += takes[i] and r.s[BEGINS]
    if go and last:
        r.lasts[r.s[ISSUED]] = r.s[TIME]
        r.s[ISSUED] += 1
        r.s[SINCE] = 1
    elif r.s[SINCE] < cols:
        r.s[SINCE] += 1
    if go:
        r.s[BEGINS] = w_token[0] & EOG != 0
        if r.s[BEGINS]:
            _group(c, groups)
    return go, reads


@njit
def _group(c, groups):
    """All rows have taken a group."""
    for i in range(len(c.at)):
        c.at[i] += 1
        if c.at[i] == groups:
            c.at[i] = 0
            c.parts[i, 0] = c.parts[i, 1]
            c.waiting[i] -= 1


@njit
def dispatch(c, row, sends, parts):
    """The edge that ends a cycle in which `row` gets its part in a tile, if `sends`."""
    if sends:
        c.parts[row, c.waiting[row]] = parts[c.dispatch[2], row]
        c.waiting[row] += 1
        c.dispatch[1] += 1
        if row == len(c.at) - 1:
            c.dispatch[1] = 0
            c.dispatch[2] += 1
            c.dispatch[0] = c.dispatch[2] < len(parts)


@njit
def results(r, cols, ready, left):
    """Which rows' results leave in this cycle (fills `left`); whether the array moves."""
    moves = True
    for i in range(len(left)):
        there = r.sum[i] < r.s[ISSUED] and r.s[TIME] == (
            r.lasts[r.sum[i]] + 1 + cols + i + r.column[i])
        left[i] = there and not r.taken[i] and ready[i]
        moves = moves and (not there or r.taken[i] or left[i])
    for i in range(len(left)):
        there = r.sum[i] < r.s[ISSUED] and r.s[TIME] == (
            r.lasts[r.sum[i]] + 1 + cols + i + r.column[i])
        if moves and there:
            r.column[i] += 1
            if r.column[i] == cols:
                r.column[i] = 0
                r.sum[i] += 1
        r.taken[i] = not moves and (r.taken[i] or left[i])
    return moves


@njit
def step(r, c, parts, groups, f_level, w_level, w_token, cols, running, ready, left, takes, causes):
    """A cycle of array, skew and `Commands`. Returns (a term was issued, groups that begin to be
    read from FB)."""
    row = c.dispatch[1]
    sends = c.dispatch[0] and c.waiting[row] < 2
    go, reads = False, 0
    if results(r, cols, ready, left):
        go, reads = issues(r, c, parts, groups, f_level, w_level, w_token, cols, running, takes,
                           causes)
        r.s[TIME] += 1
    else:
        takes[:] = 0
        causes[BLOCKED] += len(left) * cols
    dispatch(c, row, sends, parts)
    return go, reads
