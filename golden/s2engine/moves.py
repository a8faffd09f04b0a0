"""What moves in the array: tokens into it and on, entries into the MACs, results out of it."""

from __future__ import annotations

from golden.jit import borrowed
from golden.s2engine import steps
from golden.s2engine.array import (
    CHAIN,
    F_DEPTH,
    FB,
    FB_GROUPS,
    FB_TOKENS,
    LAST_RESULT,
    MARK,
    RATIO,
    SENT_TOKENS,
    W_DEPTH,
    WF_DEPTH,
)


@borrowed
def _marking(a, which):
    """Whether a FIFO's mark is asked for and may still rise."""
    return a.setting[MARK] != 0 and a.marks[which] < a.setting[which]


@borrowed
def feed_w(a, columns):
    """The next token of each of these columns into the first row's W-FIFO."""
    for x in range(len(columns)):
        j = columns[x]
        time = a.push_w[0, j] + 1
        if a.setting[W_DEPTH]:
            time = max(time, a.past_w[1, a.at_w[j]] + 1)
        a.push_w[0, j] = max(time, 0)


@borrowed
def send_f(a, rows, source, keep):
    """The next token of each row in `rows` (0: not) from its CE into the first column's F-FIFO."""
    hold = a.kept_at.shape[1]
    for i in range(len(rows)):
        if not rows[i]:
            continue
        time = max(a.push_f[i, 0] + 1, 0)
        if a.setting[F_DEPTH]:
            time = max(time, a.past_f[i, a.at_f[i], 1] + 1)
        put, got = a.kept[i, 0], a.kept[i + 1, 1]
        if keep[i]:
            time = max(time, a.kept_till[i, put] + 1)
        if source[i] == CHAIN:
            time = max(time, a.kept_at[i + 1, got] + 1)
            a.kept_till[i + 1, got] = time
            a.kept[i + 1, 1] = got + 1 if got + 1 < hold else 0
        if keep[i]:
            a.kept_at[i, put] = time
            a.kept[i, 0] = put + 1 if put + 1 < hold else 0
        a.tally[SENT_TOKENS] += 1
        a.tally[FB_TOKENS] += source[i] == FB
        a.push_f[i, 0] = time


@borrowed
def push_w(a, i, columns):
    """The next token of these columns into the registers of row i, behind the steps in `row`."""
    steps.push_w(columns, a.at_w, a.push_w[i + 1], a.row[0], a.push_w[i], a.past_w[i + 1],
                 a.past_w[i + 2], a.setting[W_DEPTH])


@borrowed
def push_f(a, i):
    """The next token of row i into all its registers, behind the steps in `row`."""
    steps.push_f(a.row[0], a.push_f[i], a.past_f[i, a.at_f[i]], a.row[1], a.setting[F_DEPTH])


@borrowed
def turn_w(a, columns):
    """The pushes of these columns are complete in all rows."""
    depth = max(a.setting[W_DEPTH], 1)
    for x in range(len(columns)):
        j = columns[x]
        first = j * depth
        if _marking(a, W_DEPTH):
            for i in range(a.step.shape[0]):
                a.marks[W_DEPTH] = steps.most(a.past_w[i + 1, first:first + depth], a.push_w[i, j],
                                              a.marks[W_DEPTH])
        following = a.at_w[j] + 1
        a.at_w[j] = following if following < first + depth else first


@borrowed
def turn_f(a, rows):
    """The same for the rows in `rows` (0: not)."""
    depth = a.setting[F_DEPTH]
    for i in range(len(rows)):
        if not rows[i]:
            continue
        if _marking(a, F_DEPTH):
            for j in range(a.step.shape[1]):
                a.marks[F_DEPTH] = steps.most(a.past_f[i, :, j + 1], a.push_f[i, j],
                                              a.marks[F_DEPTH])
        following = a.at_f[i] + 1
        a.at_f[i] = following if following < depth else 0


@borrowed
def _mark_entries(a, i, columns):
    """Entries of these columns have gone into the WF-FIFOs of row i."""
    for x in range(len(columns)):
        j = columns[x]
        a.marks[WF_DEPTH] = steps.most(a.taken[i, j], a.row[0, j], a.marks[WF_DEPTH])


@borrowed
def finish(a, i, columns, last):
    """Steps of row i that emit."""
    steps.emit(columns, last, a.row[0], a.entry[i], a.taken[i], a.waits[i], a.summed[i], a.left[i],
               a.blocked[i], a.drained[i], a.setting[RATIO])
    if _marking(a, WF_DEPTH):
        _mark_entries(a, i, columns)


@borrowed
def open_group(a, source, keep):
    """The first tokens of a group into all registers."""
    rows, cols = a.step.shape
    every, everyone = a.columns[0], a.mask[1]
    for j in range(cols):
        every[j] = j
    feed_w(a, every)
    for i in range(rows):
        a.tally[FB_GROUPS] += source[i] == FB
    send_f(a, a.rows, source, keep)
    for i in range(rows):
        steps.advance(a.row[0], a.step[i], everyone)
        push_w(a, i, every)
        push_f(a, i)
    turn_w(a, every)
    turn_f(a, a.rows)


@borrowed
def results(a):
    """The results of a kernel on their way through the RFs to the right edge."""
    rows, cols = a.step.shape
    for i in range(rows):
        rf = a.rf[i]
        # Times on the right of column j: of the word two earlier, and one earlier.
        for c in range(cols):
            for j in range(c, cols):
                time = max(rf[j, 0], rf[j, 2]) + 1
                if j == c:
                    time = max(time, a.summed[i, j] + 1)
                    a.left[i, j] = time
                else:
                    time = max(time, rf[j - 1, 0] + 1)
                rf[j, 0] = time
                if j:
                    rf[j - 1, 2], rf[j - 1, 1] = rf[j - 1, 1], time
            out = rf[cols - 1, 0] + 1
            rf[cols - 1, 2], rf[cols - 1, 1] = rf[cols - 1, 1], out
            a.tally[LAST_RESULT] = max(a.tally[LAST_RESULT], out)
