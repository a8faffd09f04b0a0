"""A group's steps, rank by rank: offset by offset, the halves of 16-bit values first, at last the
step that ends the group."""

from __future__ import annotations

import numpy as np

from golden.jit import borrowed, njit
from golden.s2engine import moves, steps
from golden.s2engine.array import HIGH, LOW, OFFSETS, STEPS, THERE, WIDE


@borrowed
def _rank(a, eating, pairing, both, eats_f, pairs_f, pairs_w, source, keep):
    """The steps of one rank.

    ``a.columns``: 0: the `eating` columns that consume W; 1: the `pairing` ones whose operand may
    make a pair; 2: the `both` that are in either. ``a.mask[0]``: those of 0. Rows consume F by
    `eats_f`. A pair is where `pairs_w[j] & pairs_f[i]`.
    """
    eaten, chosen, row = a.columns[0, :eating], a.columns[3], a.row[0]
    moves.feed_w(a, eaten)
    moves.send_f(a, eats_f, source, keep)
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
            moves.finish(a, i, chosen[:many], False)
        moves.push_w(a, i, eaten)
        if whole:
            moves.push_f(a, i)
        steps.advance(a.step[i], row, mask)
    moves.turn_w(a, eaten)
    moves.turn_f(a, eats_f)


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
        moves.finish(a, i, chosen[:many], False)
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
        moves.finish(a, i, chosen[:many], last)
        steps.advance(a.step[i], row, a.mask[1])


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
def _operands(masks, bit, out):
    """Whether each flow's token at this offset may pair with a low half: a value of 8 bits, or a
    high half."""
    for n in range(len(masks)):
        operand = masks[n, HIGH] if masks[n, WIDE] & bit else masks[n, LOW]
        out[n] = (operand & bit) != 0


@njit
def group(a, weights, features, source, keep, last):
    """One group through the array.

    weights, features: int64 [C, MASKS], [R, MASKS]. source, keep: int64 [R]: each row's CE.
    `last`: the group ends the kernel.
    """
    cols, rows = len(weights), len(features)
    moves.open_group(a, source, keep)
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
            _operands(features, bit, pairs_f)
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
        moves.results(a)


@borrowed
def _top(mask):
    """The highest offset in a mask; 0 for an empty one."""
    top = 0
    while mask > 1:
        mask >>= 1
        top += 1
    return top
