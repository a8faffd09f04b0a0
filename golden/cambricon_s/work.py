"""What a program's COMPUTEs do, window by window: how long each stays in NSM's last stage, and why.

Loads and computes are followed as sides become full and empty, over the image with all planes
filled; nothing is multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.cambricon_s.program import CambriconPass, Segment
from golden.jit import njit
from hw.cambricon_s.config import WIDTHS
from hw.cambricon_s.instruction import CHOICES

# The pairs of sides that COMPUTE uses and LOAD fills, by the names in `CHOICES["buffer"]`.
PAIRS = {"nbin": 0, "sib": 1, "sb": 2, "codebook": 3, "bias": 3, "ib": 4}
PAIR_OF = np.array([PAIRS.get(name, PAIRS["sb"]) for name in CHOICES["buffer"]])
EMPTY, FILLING, FULL = range(3)
MULTIPLY, VIEW, EXHAUSTED, LANES, ISSUES, SEGMENTS = range(6)
LOADS = ("to", "side", "address", "rows", "beats", "pitch", "first", "granules", "granule_pitch",
         "skip", "acquire", "publish")
COMPUTES = ("nbin_side", "sib_side", "sb_side", "book_side", "release_nbin", "release_sib",
            "release_sb", "release_book", "nbin_first", "positions", "position_step", "outer",
            "outer_step", "inner", "inner_step", "run", "sib_word", "width", "dense", "dynamic")


@dataclass(frozen=True, eq=False)
class Work:
    """`cost`: int64 [selectors, windows], cycles of each window in NSM's last stage, COMPUTE by
    COMPUTE; `first`: where each COMPUTE's begin, one more than there are; `ends`: which windows are
    the last of a segment; `tally`: int64 [COMPUTEs, 6], the cycles by cause (multiply, view,
    exhausted), lanes, issues (of all selectors), segments."""

    cost: np.ndarray
    first: np.ndarray
    ends: np.ndarray
    tally: np.ndarray


def columns(one: CambriconPass, unit: str, names: tuple[str, ...]) -> np.ndarray:
    """Some fields of a unit's slots, int64 [fields, slots]."""
    return np.ascontiguousarray([one.column(unit, name) for name in names], np.int64)


def work(segment: Segment, one: CambriconPass) -> Work:
    """Of one program. ValueError if it locks."""
    cfg = one.stage.cfg
    loads, computes = columns(one, "load", LOADS), columns(one, "compute", COMPUTES)
    loads[0] = PAIR_OF[loads[0]]
    keep = loads[0] != PAIRS["ib"]
    named = dict(zip(COMPUTES, computes, strict=True))
    windows = (named["positions"] * named["outer"] * named["inner"]
               * -(-named["run"] // cfg.window))
    first = np.concatenate([[0], np.cumsum(windows)])
    cost = np.zeros((cfg.selectors, first[-1]), np.int64)
    ends = np.zeros(first[-1], np.bool_)
    tally = np.zeros((len(windows), 6), np.int64)
    memory = np.frombuffer(segment.expected, np.uint8)
    neurons = memory.view(f"<i{cfg.data_bits // 8}")
    per_word = cfg.sb_word_bits // np.array(WIDTHS)
    sizes = np.array([cfg.tn, cfg.window, cfg.beat_bytes, cfg.data_bits // 8, segment.base,
                      cfg.nbin_granules, cfg.sib_words, cfg.sb_view, cfg.selectors], np.int64)
    done = _work(np.ascontiguousarray(loads[:, keep]), computes, memory, neurons, sizes, per_word,
                 first, cost, ends, tally)
    if not done:
        raise ValueError(f"{one.layer.name}: the program must come to its end")
    return Work(cost, first, ends, tally)


@njit
def _fill(load, k, memory, neurons, sizes, nbin, sib):
    """A LOAD of NBin (which neurons are not zero) or SIB."""
    tn, window, beat, unit, base = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
    to, side, address, rows = load[0, k], load[1, k], load[2, k] - base, load[3, k]
    pitch, first, granules = load[5, k] * beat, load[6, k], load[7, k]
    if to == 0:
        for row in range(max(rows, 1)):
            at = (address + row * pitch) // unit + load[9, k] * tn
            out = (first + row * load[8, k]) * tn
            for n in range(granules * tn):
                nbin[side, out + n] = rows > 0 and neurons[at + n] != 0
    elif to == 1 and rows:
        bits = window * sizes[8]
        for n in range(granules * bits):
            bit = memory[address + (n >> 3)] >> (n & 7) & 1
            sib[side, first * bits + n] = bit


@njit
def _segment(nbin, sib, sizes, selector, f, at, per_word, cost, ends, n, tally):
    """One position's windows for one selector, from window `n` on; the next one's number."""
    tn, window, view, selectors = sizes[0], sizes[1], sizes[7], sizes[8]
    outer, outer_step, inner, inner_step, run = f[11], f[12], f[13], f[14], f[15]
    dense, dynamic = f[18], f[19]
    target, lanes, base, views, word = 0, 0, 0, 0, f[16]
    for o in range(outer):
        for i in range(inner):
            begin = (at + o * outer_step + i * inner_step) * tn
            for start in range(0, run, window):
                rows, issues, chosen = 0, 0, 0
                for k in range(min(window, run - start)):
                    if not dense and not sib[(word * selectors + selector) * window + k]:
                        continue
                    if not dynamic or nbin[begin + start + k]:
                        of = target // per_word
                        if lanes == tn:         # the vector is full and another neuron follows
                            rows, issues, lanes = rows + 1, issues + views, 0
                        if lanes == 0:
                            base, views = of, 1
                        elif of - base >= view:
                            base, views = of, views + 1
                        lanes, chosen = lanes + 1, chosen + 1
                    target += 1
                last = o == outer - 1 and i == inner - 1 and start + window >= run
                if lanes == tn or (last and lanes):
                    rows, issues, lanes = rows + 1, issues + views, 0
                tally[MULTIPLY] += rows
                tally[VIEW] += issues - rows
                tally[LANES] += chosen
                tally[ISSUES] += issues
                if rows == 0:
                    tally[EXHAUSTED] += 1
                    tally[ISSUES] += last
                cost[n], ends[n] = max(1, issues), last
                n, word = n + 1, word + 1
    tally[SEGMENTS] += selector == 0
    return n


@njit
def _work(load, compute, memory, neurons, sizes, per_word, first, cost, ends, tally):
    nbin = np.zeros((2, (sizes[5] + sizes[1]) * sizes[0]), np.uint8)
    sib = np.zeros((2, sizes[6] * sizes[1] * sizes[8]), np.uint8)
    state = np.zeros((4, 2), np.int64)
    k = n = 0
    loads, computes = load.shape[1], compute.shape[1]
    while k < loads or n < computes:
        moved = False
        if k < loads:
            pair, side = load[0, k], load[1, k]
            if state[pair, side] == (EMPTY if load[10, k] else FILLING):
                _fill(load, k, memory, neurons, sizes, nbin, sib)
                state[pair, side] = FULL if load[11, k] else FILLING
                k, moved = k + 1, True
        if n < computes:
            ready = True
            for pair in range(4):
                ready = ready and state[pair, compute[pair, n]] == FULL
            if ready:
                at = first[n]
                f = compute[:, n]
                for p in range(f[9]):
                    after = at
                    for selector in range(sizes[8]):
                        after = _segment(nbin[f[0]], sib[f[1]], sizes, selector, f,
                                         f[8] + p * f[10], per_word[f[17]], cost[selector], ends,
                                         at, tally[n])
                    at = after
                for pair in range(4):
                    if compute[4 + pair, n]:
                        state[pair, compute[pair, n]] = EMPTY
                n, moved = n + 1, True
        if not moved:
            return False
    return True
