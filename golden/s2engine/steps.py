"""The steps of a row of DSs in one rank, and the pushes behind them: the model's inner loops.

Rows come as views. All words have 32 bits, so that a vector of the processor holds many columns.
"""

from __future__ import annotations

import numpy as np

from golden.jit import borrowed

NEVER = -(1 << 30)


@borrowed
def registers(step, push_w, push_f, mask, starved, row):
    """The cycle behind that in which both registers of each PE hold tokens, into `row`.

    step, push_w: of the columns; push_f: from the first PE's on. `mask`: -1 where a step follows,
    else 0; there `starved` counts the cycles without a W.
    """
    for j in range(len(step)):
        later = max(step[j], push_w[j])
        starved[j] += np.int32(later - step[j]) & mask[j]
        row[j] = np.int32(max(later, push_f[j]) + 1)


@borrowed
def emit(columns, last, row, entry, taken, waits, summed, left, blocked, drained, ratio):
    """The steps of these columns, in `row` as far as their tokens are concerned, emit entries, the
    `last` of a kernel or not: `row` gets the cycles of the steps."""
    size = taken.shape[1]
    for x in range(len(columns)):
        j = columns[x]
        at, base = entry[j], row[j]
        after = at + 1 if at + 1 < size else 0
        time = base
        if size > 1:            # else the FIFO is infinite
            # Full while entry q - depth is there; RF holds it up as long as q - depth - 1 waits.
            time = max(base, np.int32(taken[j, after] + 1))
            held = max(np.int32(0), np.int32(min(time - 1, waits[j, at]) - base + 1))
            drained[j] += held
            blocked[j] += np.int32(time - base - held)
        take = np.int32((max(np.int32(time + 1), summed[j]) + ratio - 1) & -ratio)
        taken[j, at] = take
        if last:
            waits[j, at] = left[j]
            summed[j] = np.int32((max(take, left[j]) + ratio) & -ratio)
        else:
            waits[j, at] = NEVER
            summed[j] = np.int32(take + ratio)
        entry[j] = after
        row[j] = time


@borrowed
def push_w(columns, places, at, row, above, past, below, bounded):
    """W into the registers of these columns, behind the steps in `row`.

    above, at: pushes of the row above and of this one. past, below: rings of this row's pushes and
    the next one's, flat, in which `places` are the columns'.
    """
    for x in range(len(columns)):
        j = columns[x]
        place = places[j]
        time = np.int32(max(row[j], np.int32(max(above[j], below[place]) + 1)))
        at[j] = time
        if bounded:
            past[place] = time


@borrowed
def push_f(row, pushes, past, scratch, bounded):
    """F into the registers of all columns, from left to right.

    pushes: [C + 2], the first is that into the first PE. past: the ring's row.
    """
    cols = len(row)
    for j in range(cols):       # times less their column: the scan below is a plain maximum
        scratch[j] = np.int32(max(row[j], np.int32(past[j + 2] + 1)) - j)
    latest = np.int32(pushes[0] + 1)
    for j in range(cols):
        latest = max(latest, scratch[j])
        scratch[j] = latest
    for j in range(cols):
        pushes[j + 1] = np.int32(scratch[j] + j)
    if bounded:
        for j in range(cols):
            past[j + 1] = np.int32(scratch[j] + j)


@borrowed
def advance(step, row, mask):
    """The last step of the columns in `mask` was in `row`."""
    for j in range(len(step)):
        step[j] = row[j] if mask[j] else step[j]


@borrowed
def most(past, entered, mark):
    """Words in a FIFO behind the entry of one in cycle `entered`: it, and those of the `past` words
    that leave later (if its own leaving is among them already, it counts once); or `mark`."""
    count = 0
    for x in range(len(past)):
        count += past[x] > entered
    return max(mark, count)
