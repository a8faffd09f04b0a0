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

from golden.jit import njit

NEVER = -(1 << 30)
FB, CHAIN, EMPTY = range(3)         # where a CE takes a group from

# `Array.tally`
(STEPS, STARVED_W, STARVED_F, DRAIN, BLOCKED, FB_GROUPS, FB_TOKENS, SENT_TOKENS,
 LAST_RESULT, COUNTS) = range(10)

# masks of a group, by offset: a value is there; it has 16 bits; its low half (an 8-bit value) is
# not 0; its high half is not 0
THERE, WIDE, LOW, HIGH, MASKS = range(5)


class Array(NamedTuple):
    """The array's state. R rows, C columns; times are cycles. Create with `array`."""

    step: np.ndarray        # int32 [R, C]: the last step
    push_w: np.ndarray      # int32 [R + 2, C]: the last push of W; row 0: into the first row
    push_f: np.ndarray      # int32 [R, C + 2]
    past_w: np.ndarray      # int32 [R + 2, C, w_depth]: the last pushes
    past_f: np.ndarray      # int32 [R, f_depth, C + 2]
    at_w: np.ndarray        # int64 [C]: place in past_w
    at_f: np.ndarray        # int64 [R]
    entry: np.ndarray       # int64 [R, C]: place of the next WF entry in the rings below
    taken: np.ndarray       # int32 [R, C, wf_depth + 1]: when the MAC took the entry
    waits: np.ndarray       # int32 [R, C, wf_depth + 1]: till when RF was full for a last entry
    summed: np.ndarray      # int32 [R, C]: the last accumulation
    left: np.ndarray        # int32 [R, C]: the last result left the RF's own register
    rf: np.ndarray          # int32 [R, C + 1, 3]: last word put in; the two before last, on the
    #                         right (the last column's right is the edge)
    kept_at: np.ndarray     # int32 [R + 1, hold]: holding FIFOs: token put in
    kept_till: np.ndarray   # int32 [R + 1, hold]: ... and taken out
    kept: np.ndarray        # int64 [R + 1, 2]: tokens put in, taken out
    row: np.ndarray         # int32 [C]: scratch: the steps of a row
    columns: np.ndarray     # int64 [4, C]: scratch: lists of columns
    tally: np.ndarray       # int64 [COUNTS]
    busy: np.ndarray        # int64 [R, C]: multiplications by PE
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
    minus = np.full((r, c), -1, np.int32)
    return Array(
        step=minus, push_w=never(r + 2, c), push_f=never(r, c + 2),
        past_w=never(r + 2, c, max(w, 1)), past_f=never(r, max(f, 1), c + 2),
        at_w=np.zeros(c, np.int64), at_f=np.zeros(r, np.int64), entry=np.zeros((r, c), np.int64),
        taken=never(r, c, wf + 1), waits=never(r, c, wf + 1), summed=minus * 0, left=never(r, c),
        rf=never(r, c + 1, 3), kept_at=never(r + 1, config.hold_depth),
        kept_till=never(r + 1, config.hold_depth), kept=np.zeros((r + 1, 2), np.int64),
        row=np.zeros(c, np.int32), columns=np.zeros((4, c), np.int64),
        tally=np.zeros(COUNTS, np.int64),
        busy=np.zeros((r, c), np.int64),
        marks=np.zeros(3, np.int64),
        setting=np.array([w, f, wf, ratio or config.ratio, config.group, marks], np.int64))



@njit
def _emit(a, i, j, base, last):
    """A step that may go in cycle `base` as far as its tokens are concerned emits an entry.

    Returns the cycle of the step.
    """
    size, ratio = a.taken.shape[2], a.setting[RATIO]
    at = a.entry[i, j]
    after = at + 1 if at + 1 < size else 0
    time = base
    if size > 1 and a.taken[i, j, after] >= base:       # full: entry q - depth is still there
        time = a.taken[i, j, after] + 1
        held = min(time - 1, a.waits[i, j, at]) - max(base, a.taken[i, j, at] + 1) + 1
        held = max(0, held)
        a.tally[DRAIN] += held
        a.tally[BLOCKED] += time - base - held
    take = (max(time + 1, a.summed[i, j]) + ratio - 1) & -ratio
    a.taken[i, j, at] = take
    a.waits[i, j, at] = NEVER
    done = take + ratio
    if last:
        a.waits[i, j, at] = a.left[i, j]
        done = (max(take, a.left[i, j]) + ratio) & -ratio
    a.summed[i, j] = done
    a.entry[i, j] = after
    if a.setting[MARK]:
        a.marks[2] = max(a.marks[2], _held(a.taken[i, j], time))
    return time


@njit
def _held(past, entered):
    """Words in a FIFO behind the entry of one in cycle `entered`: it, and those of the `past`
    words that leave later. (If its own leaving is among them already, it counts once.)"""
    count = 0
    for time in past:
        count += time > entered
    return count


@njit
def _mark_w(a, j):
    """The W-FIFOs of column j, behind a push of all rows, before its place moves on."""
    for i in range(a.step.shape[0]):
        entered = a.push_w[i, j]
        a.marks[0] = max(a.marks[0], _held(a.past_w[i + 1, j], entered))


@njit
def _mark_f(a, i):
    """The F-FIFOs of row i, behind a push of all columns."""
    for j in range(a.step.shape[1]):
        a.marks[1] = max(a.marks[1], _held(a.past_f[i, :, j + 1], a.push_f[i, j]))


@njit
def _feed_w(a, j, available):
    """The next token of column j into the first row's W-FIFO."""
    time = max(a.push_w[0, j] + 1, available)
    if a.setting[W_DEPTH]:
        time = max(time, a.past_w[1, j, a.at_w[j]] + 1)
    a.push_w[0, j] = time


@njit
def _send_f(a, i, source, keep):
    """The next token of row i from its CE into the first column's F-FIFO."""
    hold = a.kept_at.shape[1]
    time = max(a.push_f[i, 0] + 1, 0)
    if a.setting[F_DEPTH]:
        time = max(time, a.past_f[i, a.at_f[i], 1] + 1)
    put, got = a.kept[i, 0] % hold, a.kept[i + 1, 1] % hold
    if keep:
        time = max(time, a.kept_till[i, put] + 1)
    if source == CHAIN:
        time = max(time, a.kept_at[i + 1, got] + 1)
        a.kept_till[i + 1, got] = time
        a.kept[i + 1, 1] += 1
    if keep:
        a.kept_at[i, put] = time
        a.kept[i, 0] += 1
    a.tally[SENT_TOKENS] += 1
    a.tally[FB_TOKENS] += source == FB
    a.push_f[i, 0] = time


@njit
def _turn_w(a, j):
    """The push of column j is complete in all rows."""
    if a.setting[MARK]:
        _mark_w(a, j)
    a.at_w[j] = a.at_w[j] + 1 if a.at_w[j] + 1 < a.setting[W_DEPTH] else 0


@njit
def _ready(a, i, j):
    """The same for one PE."""
    step = a.step[i, j]
    both = max(step, a.push_w[i + 1, j])
    all3 = max(both, a.push_f[i, j + 1])
    a.tally[STARVED_W] += both - step
    a.tally[STARVED_F] += all3 - both
    a.row[j] = all3 + 1


@njit
def _pair(a, i, j):
    """The step of PE (i, j) in `a.row` emits a pair."""
    a.row[j] = _emit(a, i, j, a.row[j], False)
    a.busy[i, j] += 1


@njit
def _open(a, source, keep):
    """The first tokens of a group into all registers."""
    rows, cols = a.step.shape
    for j in range(cols):
        _feed_w(a, j, 0)
    for i in range(rows):
        a.tally[FB_GROUPS] += source[i] == FB
        _send_f(a, i, source[i], keep[i])
    _pushes(a.step, a.push_w, a.push_f, a.past_w, a.past_f, a.at_w, a.at_f, a.setting)
    if a.setting[MARK]:
        for i in range(rows):
            _mark_f(a, i)
    for j in range(cols):
        _turn_w(a, j)


@njit
def _pushes(step, push_w, push_f, past_w, past_f, at_w, at_f, setting):
    """Both flows in all PEs, behind the steps in `step`."""
    rows, cols = step.shape
    bound_w, bound_f = setting[W_DEPTH] > 0, setting[F_DEPTH] > 0
    for i in range(rows):
        if bound_w:
            for j in range(cols):
                time = max(max(step[i, j], push_w[i, j] + 1), past_w[i + 2, j, at_w[j]] + 1)
                push_w[i + 1, j] = time
                past_w[i + 1, j, at_w[j]] = time
        else:
            for j in range(cols):
                push_w[i + 1, j] = max(step[i, j], push_w[i, j] + 1)
        time, at = push_f[i, 0], at_f[i]
        if bound_f:
            for j in range(cols):
                time = max(max(step[i, j], past_f[i, at, j + 2] + 1), time + 1)
                push_f[i, j + 1] = time
                past_f[i, at, j + 1] = time
            at_f[i] = at + 1 if at + 1 < setting[F_DEPTH] else 0
        else:
            for j in range(cols):
                time = max(step[i, j], time + 1)
                push_f[i, j + 1] = time


@njit
def _rank(a, eating, pairing, both, eats_f, pairs_f, pairs_w, source, keep):
    """The steps of one rank.

    ``a.columns``: 0: the `eating` columns that consume W; 1: the `pairing` ones whose operand may
    make a pair; 2: the `both` that are in either. Rows consume F by `eats_f`. A pair is where
    `pairs_w[j] & pairs_f[i]`.
    """
    for x in range(eating):
        _feed_w(a, a.columns[0, x], 0)
    for i in range(len(eats_f)):
        if eats_f[i]:
            _send_f(a, i, source[i], keep[i])
    _steps(a.step, a.push_w, a.push_f, a.past_w, a.past_f, a.at_w, a.at_f, a.entry, a.taken,
           a.waits, a.summed, a.busy, a.row, a.columns, a.tally, a.setting, eating, pairing, both,
           eats_f, pairs_f, pairs_w, a.marks)
    for x in range(eating):
        _turn_w(a, a.columns[0, x])
    if a.setting[MARK]:
        for i in range(len(eats_f)):
            if eats_f[i]:
                _mark_f(a, i)


@njit
def _steps(step, push_w, push_f, past_w, past_f, at_w, at_f, entry, taken, waits, summed, busy,
           row, columns, tally, setting, eating, pairing, both, eats_f, pairs_f, pairs_w, marks):
    """`_rank` between the edges and the turn of `at_w`. All written out: the time goes here."""
    rows, cols = step.shape
    bound_w, bound_f = setting[W_DEPTH] > 0, setting[F_DEPTH] > 0
    size, ratio = taken.shape[2], setting[RATIO]
    wait_w, wait_f, steps, drain, blocked = 0, 0, 0, 0, 0
    eat, place = columns[0], columns[3]
    for x in range(eating):
        place[x] = at_w[eat[x]]
    for i in range(rows):
        if not eating and not eats_f[i]:
            continue
        whole = eats_f[i] != 0
        if whole:
            for j in range(cols):
                later = max(step[i, j], push_w[i + 1, j])
                all3 = max(later, push_f[i, j + 1])
                wait_w += later - step[i, j]
                wait_f += all3 - later
                row[j] = all3 + 1
            steps += cols
        else:
            for x in range(eating):
                j = eat[x]
                later = max(step[i, j], push_w[i + 1, j])
                all3 = max(later, push_f[i, j + 1])
                wait_w += later - step[i, j]
                wait_f += all3 - later
                row[j] = all3 + 1
            steps += eating
        bits = pairs_f[i]
        if bits:
            which, many = (1, pairing) if whole else (2, both)
            for x in range(many):
                j = columns[which, x]
                if not pairs_w[j] & bits:
                    continue
                # As `_emit`, for an entry that is not the last.
                at, base = entry[i, j], row[j]
                after = at + 1 if at + 1 < size else 0
                time = base
                if size > 1 and taken[i, j, after] >= base:
                    time = taken[i, j, after] + 1
                    held = min(time - 1, waits[i, j, at]) - max(base, taken[i, j, at] + 1) + 1
                    held = max(0, held)
                    drain += held
                    blocked += time - base - held
                take = (max(time + 1, summed[i, j]) + ratio - 1) & -ratio
                taken[i, j, at] = take
                waits[i, j, at] = NEVER
                summed[i, j] = take + ratio
                entry[i, j] = after
                row[j] = time
                busy[i, j] += 1
                if setting[MARK]:
                    marks[2] = max(marks[2], _held(taken[i, j], time))
        if bound_w:
            for x in range(eating):
                j, at = eat[x], place[x]
                time = max(max(row[j], push_w[i, j] + 1), past_w[i + 2, j, at] + 1)
                past_w[i + 1, j, at] = time
                push_w[i + 1, j] = time
        else:
            for x in range(eating):
                push_w[i + 1, eat[x]] = max(row[eat[x]], push_w[i, eat[x]] + 1)
        if not whole:
            for x in range(eating):
                step[i, eat[x]] = row[eat[x]]
            continue
        time, at = push_f[i, 0], at_f[i]
        if bound_f:
            for j in range(cols):
                step[i, j] = row[j]
                time = max(max(row[j], past_f[i, at, j + 2] + 1), time + 1)
                push_f[i, j + 1] = time
                past_f[i, at, j + 1] = time
            at_f[i] = at + 1 if at + 1 < setting[F_DEPTH] else 0
        else:
            for j in range(cols):
                step[i, j] = row[j]
                time = max(row[j], time + 1)
                push_f[i, j + 1] = time
    tally[STARVED_W] += wait_w
    tally[STARVED_F] += wait_f
    tally[STEPS] += steps
    tally[DRAIN] += drain
    tally[BLOCKED] += blocked


@njit
def _cross(a, weights, features, bit):
    """16 x 16 pairs: the product of the high halves, which consumes nothing."""
    for i in range(len(features)):
        if not features[i, WIDE] & bit:
            continue
        for j in range(len(weights)):
            if weights[j, WIDE] & bit:
                _ready(a, i, j)
                a.tally[STEPS] += 1
                if weights[j, HIGH] & features[i, HIGH] & bit:
                    _pair(a, i, j)
                a.step[i, j] = a.row[j]


@njit
def _close(a, weights, features, tops_w, tops_f, last):
    """The steps that end a group (and a kernel, if it is the `last` one)."""
    rows, cols = a.step.shape
    a.tally[STEPS] += rows * cols
    _all_steps(a.step, a.push_w, a.push_f, a.tally)
    for i in range(rows):
        bit = 1 << tops_f[i]
        low = features[i, LOW] & bit
        other = features[i, HIGH] & bit if features[i, WIDE] & bit else low
        for j in range(cols):
            pair = False
            if tops_w[j] == tops_f[i]:
                wide = weights[j, WIDE] & bit
                pair = (weights[j, HIGH] & low if wide else weights[j, LOW] & other) != 0
            if pair or last:
                a.step[i, j] = _emit(a, i, j, a.step[i, j], last)
                a.busy[i, j] += pair


@njit
def _all_steps(step, push_w, push_f, tally):
    """A step in each PE as soon as its registers hold tokens."""
    rows, cols = step.shape
    wait_w, wait_f = 0, 0
    for i in range(rows):
        for j in range(cols):
            later = max(step[i, j], push_w[i + 1, j])
            all3 = max(later, push_f[i, j + 1])
            wait_w += later - step[i, j]
            wait_f += all3 - later
            step[i, j] = all3 + 1
    tally[STARVED_W] += wait_w
    tally[STARVED_F] += wait_f


@njit
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


@njit
def _lists(a, eats, pairs_w):
    """The lists of columns for `_rank`."""
    eating, pairing, both = 0, 0, 0
    for j in range(len(eats)):
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


@njit
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


@njit
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
    pairs = int(a.busy.sum())
    waits = {"starved_w": STARVED_W, "starved_f": STARVED_F, "drain": DRAIN, "blocked": BLOCKED}
    out = {"multiply": pairs, "select": int(a.tally[STEPS]) - pairs}
    out |= {name: int(a.tally[at]) for name, at in waits.items()}
    out["starved_w"] += int((cycles - 1 - a.step.astype(np.int64)).sum())    # after the last step
    assert sum(out.values()) == a.step.size * cycles
    return out
