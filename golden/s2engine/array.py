"""When does everything in the array happen? A max-plus recurrence over tokens, exact.

Which tokens a DS compares and consumes follows from the data alone; only *when* depends on FIFOs,
MAC and RF. So each push, step, multiplication and result has one time, the latest of a few
earlier ones (``hw/s2engine/README.md`` has them). They are computed group by group, and in a group
by rank: offset by offset, in each the halves of 16-bit values first, at last the step that ends
the group. Whatever a time depends on has a smaller rank, or the same one further up or left.

Groups come as bit masks over the offsets. Depth 0 stands for an infinite FIFO.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from golden.jit import borrowed, njit
from golden.s2engine import steps
from golden.s2engine.steps import NEVER

FB, CHAIN, EMPTY = range(3)         # where a CE takes a group from

# `Array.tally`
STEPS, FB_GROUPS, FB_TOKENS, SENT_TOKENS, LAST_RESULT, COUNTS = range(6)

# masks of a group, by offset: a value is there; it has 16 bits; its low half (an 8-bit value) is
# not 0; its high half is not 0
THERE, WIDE, LOW, HIGH, MASKS = range(5)


class Array(NamedTuple):
    """The array's state. R rows, C columns; times are cycles. Create with `array`."""

    step: np.ndarray        # int32 [R, C]: the last step
    push_w: np.ndarray      # int32 [R + 2, C]: the last push of W; row 0: into the first row
    push_f: np.ndarray      # int32 [R, C + 2]
    past_w: np.ndarray      # int32 [R + 2, C * w_depth]: the last pushes
    past_f: np.ndarray      # int32 [R, f_depth, C + 2]
    at_w: np.ndarray        # uint32 [C]: place in past_w
    at_f: np.ndarray        # int64 [R]
    entry: np.ndarray       # uint32 [R, C]: place of the next WF entry in the rings below
    taken: np.ndarray       # int32 [R, C, wf_depth + 1]: when the MAC took the entry
    waits: np.ndarray       # int32 [R, C, wf_depth + 1]: till when RF was full for a last entry
    summed: np.ndarray      # int32 [R, C]: the last accumulation
    left: np.ndarray        # int32 [R, C]: the last result left the RF's own register
    rf: np.ndarray          # int32 [R, C + 1, 3]: last word put in; the two before last, on the
    #                         right (the last column's right is the edge)
    kept_at: np.ndarray     # int32 [R + 1, hold]: holding FIFOs: token put in
    kept_till: np.ndarray   # int32 [R + 1, hold]: ... and taken out
    kept: np.ndarray        # int64 [R + 1, 2]: places of the next token to put in, to take out
    row: np.ndarray         # int32 [2, C]: scratch: the steps of a row, the pushes behind them
    mask: np.ndarray        # int32 [2, C]: columns that consume W in a rank, as -1; all columns
    columns: np.ndarray     # uint32 [4, C]: lists of columns, see `_rank`; 3: of a row's pairs
    rows: np.ndarray        # int64 [R]: ones: all rows
    tally: np.ndarray       # int64 [COUNTS]
    busy: np.ndarray        # int32 [R, C]: multiplications by PE
    starved: np.ndarray     # int32 [R, C]: cycles without a W
    blocked: np.ndarray     # int32 [R, C]: cycles with the WF-FIFO full
    drained: np.ndarray     # int32 [R, C]: ... because RF is full
    marks: np.ndarray       # int64 [3]: most words that a W-, F-, WF-FIFO held
    setting: np.ndarray     # int64: below


W_DEPTH, F_DEPTH, WF_DEPTH, RATIO, OFFSETS, MARK = range(6)


def array(config: Any, depths: tuple[int, int, int] | None = None,
          ratio: int | None = None, marks: bool = False) -> Array:
    """An empty array in cycle 0. `depths`: other FIFO depths (0: infinite), `ratio`: another.
    `marks`: find the FIFOs' high-water marks (not of infinite ones)."""
    w, f, wf = depths or (config.w_depth, config.f_depth, config.wf_depth)
    r, c = config.rows, config.cols

    def never(*shape: int) -> np.ndarray:
        return np.full(shape, NEVER, np.int32)

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.int32)
    return Array(
        step=zeros(r, c) - 1, push_w=never(r + 2, c), push_f=never(r, c + 2),
        past_w=never(r + 2, c * max(w, 1)), past_f=never(r, max(f, 1), c + 2),
        at_w=np.arange(c, dtype=np.uint32) * max(w, 1), at_f=np.zeros(r, np.int64),
        entry=np.zeros((r, c), np.uint32), taken=never(r, c, wf + 1), waits=never(r, c, wf + 1),
        summed=zeros(r, c), left=never(r, c),
        rf=never(r, c + 1, 3), kept_at=never(r + 1, config.hold_depth),
        kept_till=never(r + 1, config.hold_depth), kept=np.zeros((r + 1, 2), np.int64),
        row=zeros(2, c), mask=zeros(2, c) - 1, columns=np.zeros((4, c), np.uint32),
        rows=np.ones(r, np.int64),
        tally=np.zeros(COUNTS, np.int64), busy=zeros(r, c), starved=zeros(r, c),
        blocked=zeros(r, c), drained=zeros(r, c), marks=np.zeros(3, np.int64),
        setting=np.array([w, f, wf, ratio or config.ratio, config.group, marks], np.int64))


@borrowed
def _marking(a, which):
    """Whether a FIFO's mark is asked for and may still rise."""
    return a.setting[MARK] != 0 and a.marks[which] < a.setting[which]


@borrowed
def _feed_w(a, columns):
    """The next token of each of these columns into the first row's W-FIFO."""
    for x in range(len(columns)):
        j = columns[x]
        time = a.push_w[0, j] + 1
        if a.setting[W_DEPTH]:
            time = max(time, a.past_w[1, a.at_w[j]] + 1)
        a.push_w[0, j] = max(time, 0)


@borrowed
def _send_f(a, rows, source, keep):
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
def _turn_w(a, columns):
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
def _turn_f(a, rows):
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
def _finish(a, i, columns, last):
    """Steps of row i that emit."""
    steps.emit(columns, last, a.row[0], a.entry[i], a.taken[i], a.waits[i], a.summed[i], a.left[i],
               a.blocked[i], a.drained[i], a.setting[RATIO])
    if _marking(a, WF_DEPTH):
        _mark_entries(a, i, columns)


@borrowed
def _open(a, source, keep):
    """The first tokens of a group into all registers."""
    rows, cols = a.step.shape
    every, everyone = a.columns[0], a.mask[1]
    for j in range(cols):
        every[j] = j
    _feed_w(a, every)
    for i in range(rows):
        a.tally[FB_GROUPS] += source[i] == FB
    _send_f(a, a.rows, source, keep)
    for i in range(rows):
        steps.advance(a.row[0], a.step[i], everyone)
        steps.push_w(every, a.at_w, a.push_w[i + 1], a.row[0], a.push_w[i], a.past_w[i + 1],
                     a.past_w[i + 2], a.setting[W_DEPTH])
        steps.push_f(a.row[0], a.push_f[i], a.past_f[i, a.at_f[i]], a.row[1], a.setting[F_DEPTH])
    _turn_w(a, every)
    _turn_f(a, a.rows)


@borrowed
def _rank(a, eating, pairing, both, eats_f, pairs_f, pairs_w, source, keep):
    """The steps of one rank.

    ``a.columns``: 0: the `eating` columns that consume W; 1: the `pairing` ones whose operand may
    make a pair; 2: the `both` that are in either. ``a.mask[0]``: those of 0. Rows consume F by
    `eats_f`. A pair is where `pairs_w[j] & pairs_f[i]`.
    """
    eaten, chosen, row = a.columns[0, :eating], a.columns[3], a.row[0]
    _feed_w(a, eaten)
    _send_f(a, eats_f, source, keep)
    for i in range(len(eats_f)):
        whole = eats_f[i]
        if not eating and not whole:
            continue
        mask = a.mask[1 if whole else 0]
        steps.registers(a.step[i], a.push_w[i + 1], a.push_f[i, 1:], mask, a.starved[i], row)
        a.tally[STEPS] += len(row) if whole else eating
        if pairs_f[i]:
            which, candidates = (1, pairing) if whole else (2, both)
            many = 0
            for x in range(candidates):
                j = a.columns[which, x]
                chosen[many] = j
                pair = (pairs_w[j] & pairs_f[i]) != 0
                many += pair
                a.busy[i, j] += pair
            _finish(a, i, chosen[:many], False)
        steps.push_w(eaten, a.at_w, a.push_w[i + 1], row, a.push_w[i], a.past_w[i + 1],
                     a.past_w[i + 2], a.setting[W_DEPTH])
        if whole:
            steps.push_f(row, a.push_f[i], a.past_f[i, a.at_f[i]], a.row[1], a.setting[F_DEPTH])
        steps.advance(a.step[i], row, mask)
    _turn_w(a, eaten)
    _turn_f(a, eats_f)


@borrowed
def _cross(a, weights, features, bit):
    """16 x 16 pairs: the product of the high halves, which consumes nothing."""
    mask, chosen, row = a.mask[0], a.columns[3], a.row[0]
    for j in range(len(weights)):
        mask[j] = -1 if weights[j, WIDE] & bit else 0
    for i in range(len(features)):
        if not features[i, WIDE] & bit:
            continue
        steps.registers(a.step[i], a.push_w[i + 1], a.push_f[i, 1:], mask, a.starved[i], row)
        many = 0
        for j in range(len(weights)):
            chosen[many] = j
            pair = (mask[j] & weights[j, HIGH] & features[i, HIGH] & bit) != 0
            many += pair
            a.busy[i, j] += pair
            a.tally[STEPS] -= mask[j]
        _finish(a, i, chosen[:many], False)
        steps.advance(a.step[i], row, mask)


@borrowed
def _close(a, weights, features, tops_w, tops_f, last):
    """The steps that end a group (and a kernel, if it is the `last` one)."""
    rows, cols = a.step.shape
    chosen, row = a.columns[3], a.row[0]
    a.tally[STEPS] += rows * cols
    for i in range(rows):
        steps.registers(a.step[i], a.push_w[i + 1], a.push_f[i, 1:], a.mask[1], a.starved[i], row)
        bit = 1 << tops_f[i]
        low = features[i, LOW] & bit
        other = features[i, HIGH] & bit if features[i, WIDE] & bit else low
        many = 0
        for j in range(cols):
            operands = weights[j, HIGH] & low if weights[j, WIDE] & bit else weights[j, LOW] & other
            pair = tops_w[j] == tops_f[i] and operands != 0
            chosen[many] = j
            many += pair or last
            a.busy[i, j] += pair
        _finish(a, i, chosen[:many], last)
        steps.advance(a.step[i], row, a.mask[1])


@borrowed
def _results(a):
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


@borrowed
def _lists(a, eats, pairs_w):
    """The lists of columns for `_rank`: how many are in each."""
    eating, pairing, both = 0, 0, 0
    for j in range(len(eats)):
        a.mask[0, j] = -1 if eats[j] else 0
        if eats[j]:
            a.columns[0, eating] = j
            eating += 1
        if pairs_w[j]:
            a.columns[1, pairing] = j
            pairing += 1
            if eats[j]:
                a.columns[2, both] = j
                both += 1
    return eating, pairing, both


@borrowed
def _operands(masks, bit, kind, out):
    """What of each flow's token at this offset may pair: bit 0 against a value of 8 bits (or, in
    the ranks of the halves, any), bit 1 against one of 16. `kind` 0: F's low halves go, 1: W's
    low halves, 2: the rest; see the README's table."""
    for n in range(len(masks)):
        low, high = (masks[n, LOW] & bit) != 0, (masks[n, HIGH] & bit) != 0
        out[n] = 0
        if kind == 0:
            out[n] = low
        elif masks[n, WIDE] & bit:
            out[n] = high
        else:
            out[n] = low


@njit
def group(a, weights, features, source, keep, last):
    """One group through the array.

    weights, features: int64 [C, MASKS], [R, MASKS]. source, keep: int64 [R]: each row's CE.
    `last`: the group ends the kernel.
    """
    cols, rows = len(weights), len(features)
    _open(a, source, keep)
    tops_w, tops_f = np.zeros(cols, np.int64), np.zeros(rows, np.int64)
    any_w, any_f, any_wide_w, any_wide_f = 0, 0, 0, 0
    for j in range(cols):
        tops_w[j] = _top(weights[j, THERE])
        any_w |= weights[j, THERE]
        any_wide_w |= weights[j, WIDE]
    for i in range(rows):
        tops_f[i] = _top(features[i, THERE])
        any_f |= features[i, THERE]
        any_wide_f |= features[i, WIDE]
    eats_w, eats_f = np.zeros(cols, np.int64), np.zeros(rows, np.int64)
    pairs_w, pairs_f = np.zeros(cols, np.int64), np.zeros(rows, np.int64)
    for offset in range(a.setting[OFFSETS]):
        bit = 1 << offset
        if not (any_w | any_f) & bit:
            continue
        if any_wide_f & bit:
            for j in range(cols):
                eats_w[j], pairs_w[j] = 0, (weights[j, LOW] & bit) != 0
            for i in range(rows):
                eats_f[i] = (features[i, WIDE] & bit) != 0
                pairs_f[i] = (features[i, LOW] & bit) != 0 and eats_f[i]
            eating, pairing, both = _lists(a, eats_w, pairs_w)
            _rank(a, eating, pairing, both, eats_f, pairs_f, pairs_w, source, keep)
        if any_wide_w & bit:
            for j in range(cols):
                eats_w[j] = (weights[j, WIDE] & bit) != 0
                pairs_w[j] = (weights[j, LOW] & bit) != 0 and eats_w[j]
            eats_f[:] = 0
            _operands(features, bit, 1, pairs_f)
            eating, pairing, both = _lists(a, eats_w, pairs_w)
            _rank(a, eating, pairing, both, eats_f, pairs_f, pairs_w, source, keep)
            if any_wide_f & bit:
                _cross(a, weights, features, bit)
        some = False
        for j in range(cols):
            eats_w[j] = (weights[j, THERE] & bit) != 0 and tops_w[j] != offset
            some |= eats_w[j] != 0
            # The last factor of a 16 x 16 pair is F's low half.
            wide = (weights[j, WIDE] & bit) != 0
            operand = weights[j, HIGH] if wide else weights[j, LOW]
            pairs_w[j] = 0 if not operand & bit else 2 if wide else 1
        for i in range(rows):
            eats_f[i] = (features[i, THERE] & bit) != 0 and tops_f[i] != offset
            some |= eats_f[i] != 0
            wide = (features[i, WIDE] & bit) != 0
            operand = features[i, HIGH] if wide else features[i, LOW]
            pairs_f[i] = ((operand & bit) != 0) + 2 * ((features[i, LOW] & bit) != 0)
        if some:
            eating, pairing, both = _lists(a, eats_w, pairs_w)
            _rank(a, eating, pairing, both, eats_f, pairs_f, pairs_w, source, keep)
    _close(a, weights, features, tops_w, tops_f, last)
    if last:
        _results(a)


@borrowed
def _top(mask):
    """The highest offset in a mask; 0 for an empty one."""
    top = 0
    while mask > 1:
        mask >>= 1
        top += 1
    return top


CAUSES = ("multiply", "select", "starved_w", "starved_f", "drain", "blocked")


def causes(a: Array, cycles: int) -> dict[str, int]:
    """PE-cycles by cause, of a run of so many cycles; they sum to PEs x cycles."""
    pairs, stepping = int(a.busy.sum()), int(a.tally[STEPS])
    out = {"multiply": pairs, "select": stepping - pairs, "starved_w": int(a.starved.sum()),
           "starved_f": 0, "drain": int(a.drained.sum()), "blocked": int(a.blocked.sum())}
    until_last = int((a.step.astype(np.int64) + 1).sum())
    out["starved_f"] = until_last - sum(out.values())       # what is left of the time
    out["starved_w"] += a.step.size * cycles - until_last   # after the last step
    return out
