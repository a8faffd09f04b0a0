"""The PE array and the CE array cycle by cycle, compiled: the array's part of the cycle model.

`golden.s2engine.array` computes the same times without stepping, but only for an array whose flows
never wait for memory. Here tokens come when FB and WB have them and results leave when the
edges take them. Follows ``hw/s2engine/README.md``; all decisions are made from what was there at
the start of the cycle. PEs go row by row, column by column: what one puts into the next one's
FIFO waits beside it (``*_in``) until that one's turn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import borrowed
from hw.common.stationary.config import StationaryConfig

# A token: its offset, and
OFFSET, EOG, EOK, LOW, HIGH, NONZERO = 31, 32, 64, 128, 256, 512
NONE = -1
PLACEHOLDER = EOG
MULTIPLY, SELECT, STARVED_W, STARVED_F, DRAIN, BLOCKED, CAUSES = range(7)
FB, CHAIN, EMPTY = range(3)


class PEs(NamedTuple):
    """State of the PEs, row after row, int16 unless said otherwise."""

    rings: np.ndarray       # [2, PEs, depth]: W-FIFO, F-FIFO
    head: np.ndarray        # [2, PEs]
    level: np.ndarray       # [2, PEs]
    arrives: np.ndarray     # [2, PEs]: token written in this cycle
    held: np.ndarray        # [2, PEs]: registers w, f; NONE: empty
    cross: np.ndarray       # [PEs]
    f_low: np.ndarray       # [PEs]: the feature's low half is not 0
    wf: np.ndarray          # [PEs, depth]: entries: 1, or 2 where a kernel ends
    wf_head: np.ndarray
    wf_level: np.ndarray
    mac: np.ndarray         # [PEs]: the operand register: 0 empty, else as an entry
    own: np.ndarray         # [PEs]: RF's own register is full
    rf: np.ndarray          # [PEs, 2]: tails in RF's FIFO
    rf_level: np.ndarray
    passed: np.ndarray
    result: np.ndarray      # [PEs]: tail of the result that arrives in this cycle
    shape: np.ndarray       # rows, cols, the three depths


def pes(config: StationaryConfig) -> PEs:
    """All empty."""
    n = config.pes

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.int16)
    empty = np.full((2, n), NONE, np.int16)
    return PEs(
        rings=zeros(2, n, max(config.w_depth, config.f_depth)), head=zeros(2, n), level=zeros(2, n),
        arrives=empty.copy(), held=empty.copy(), cross=zeros(n), f_low=zeros(n),
        wf=zeros(n, config.wf_depth), wf_head=zeros(n), wf_level=zeros(n), mac=zeros(n),
        own=zeros(n), rf=zeros(n, 2), rf_level=zeros(n), passed=zeros(n),
        result=np.full(n, NONE, np.int16), shape=np.array(
            [config.rows, config.cols, config.w_depth, config.f_depth, config.wf_depth], np.int64))


@borrowed
def _step(a, p):
    """The DS's step: (cause but for a full WF-FIFO, entry, consumes W, consumes F)."""
    w, f = a.held[0, p], a.held[1, p]
    if w < 0:
        return STARVED_W, 0, False, False
    if f < 0:
        return STARVED_F, 0, False, False
    same = (w ^ f) & OFFSET == 0
    cross = a.cross[p] != 0
    four = same and w & HIGH and f & HIGH and not cross
    final = w & EOG and f & EOG and not four
    nonzero = a.f_low[p] != 0 if cross else f & NONZERO != 0
    pair = same and w & NONZERO != 0 and nonzero
    entry = 2 if final and w & EOK else 1 if pair else 0
    eats_w, eats_f = False, False
    if same and f & LOW:
        eats_f = True
    elif same and w & LOW:
        eats_w = True
    elif not four:
        at_w, at_f = w & OFFSET, f & OFFSET
        eats_w = final != 0 or (not w & EOG and (f & EOG != 0 or at_w <= at_f))
        eats_f = final != 0 or (not f & EOG and (w & EOG != 0 or at_f <= at_w))
    if entry and a.wf_level[p] == a.shape[4]:
        return BLOCKED, 0, False, False
    a.cross[p] = four
    if eats_f and f & LOW:
        a.f_low[p] = f & NONZERO != 0
    return MULTIPLY if pair else SELECT, entry, eats_w, eats_f


@borrowed
def _push(a, side, p, eaten, beside, there, depth):
    """A token from a FIFO's head into the register and to the neighbour `beside` (if `there`)."""
    if a.level[side, p] and (a.held[side, p] < 0 or eaten) and (
            not there or a.level[side, beside] < a.shape[2 + side]):
        head = a.head[side, p]
        token = a.rings[side, p, head]
        a.head[side, p] = head + 1 if head + 1 < depth else 0
        a.level[side, p] -= 1
        a.held[side, p] = token
        if there:
            a.arrives[side, beside] = token
    elif eaten:
        a.held[side, p] = NONE
    token = a.arrives[side, p]
    if token != NONE:
        at = a.head[side, p] + a.level[side, p]
        a.rings[side, p, at if at < depth else at - depth] = token
        a.level[side, p] += 1
        a.arrives[side, p] = NONE


@borrowed
def _mac(a, p):
    """An enabled cycle of the MAC. Returns: a sum is done."""
    mac = a.mac[p]
    if mac == 2 and a.own[p]:
        return False
    a.mac[p] = 0
    if a.wf_level[p]:
        head = a.wf_head[p]
        a.mac[p] = a.wf[p, head]
        a.wf_head[p] = head + 1 if head + 1 < a.shape[4] else 0
        a.wf_level[p] -= 1
    return mac == 2


@borrowed
def _rf(a, p, first, last, ready):
    """A cycle of the RF. Returns: a result leaves the row."""
    level, turn = a.rf_level[p], a.passed[p] or first
    space, leaves = level < 2, False
    if level:
        if last:
            leaves = ready
        if leaves or (not last and a.rf_level[p + 1] < 2 and not a.passed[p + 1]):
            if not last:
                a.result[p + 1] = a.rf[p, 0]
            a.rf[p, 0] = a.rf[p, 1]
            a.rf_level[p] -= 1
    if turn:
        if a.own[p] and space:
            a.rf[p, a.rf_level[p]] = 1
            a.rf_level[p] += 1
            a.own[p] = a.passed[p] = 0
    elif a.result[p] != NONE:
        a.rf[p, a.rf_level[p]] = 0
        a.rf_level[p] += 1
        a.passed[p] = a.result[p]
    a.result[p] = NONE
    return leaves


@borrowed
def pes_step(a, enable, ready, left, causes):
    """A cycle of all PEs. `ready`: by row, its edge takes a result; `left`: by row, one leaves."""
    rows, cols = a.shape[0], a.shape[1]
    deepest, wf_depth = a.rings.shape[2], a.shape[4]
    for i in range(rows):
        for j in range(cols):
            p = i * cols + j
            stuck = a.mac[p] == 2 and a.own[p]
            cause, entry, eats_w, eats_f = _step(a, p)
            causes[DRAIN if cause == BLOCKED and stuck else cause] += 1
            done = enable and _mac(a, p)
            leaves = _rf(a, p, j == 0, j == cols - 1, ready[i])
            if j == cols - 1:
                left[i] = leaves
            if done:
                a.own[p] = 1
            if entry:
                at = a.wf_head[p] + a.wf_level[p]
                a.wf[p, at if at < wf_depth else at - wf_depth] = entry
                a.wf_level[p] += 1
            _push(a, 0, p, eats_w, p + cols, i + 1 < rows, deepest)
            _push(a, 1, p, eats_f, p + 1, j + 1 < cols, deepest)


class CEs(NamedTuple):
    """State of the CEs and of what commands them, int64."""

    hold: np.ndarray        # [rows, depth]: tokens held
    hold_head: np.ndarray
    hold_level: np.ndarray
    taken: np.ndarray       # the CE above takes one in this cycle
    begins: np.ndarray      # a group begins
    parts: np.ndarray       # [rows, 2]: parts in pixel tiles that wait
    waiting: np.ndarray     # how many
    at: np.ndarray          # group of the tile
    dispatch: np.ndarray    # busy, row, tile


EMPTY_ROW, FIRST, LAST = 1, 2, 4      # a row's part in a tile


def ces(config: StationaryConfig) -> CEs:
    """All empty."""
    def zeros(*shape: int) -> np.ndarray:
        return np.zeros((config.rows, *shape), np.int64)
    return CEs(zeros(config.hold_depth), zeros(), zeros(), zeros(), zeros() + 1, zeros(2), zeros(),
               zeros(), np.zeros(3, np.int64))


@borrowed
def ces_step(s, a, parts, begins, ends, groups, reuse, fb_level, fb_token, takes):
    """A cycle of all CEs and of `Commands`. Returns how many groups begin to be read from FB.

    parts: [tiles, rows]; begins, ends: of the columns of a kernel row; groups: of a tile;
    fb_level, fb_token: what FB's banks offer; takes: by row, FB's token is taken.
    """
    rows, cols, columns = a.shape[0], a.shape[1], len(begins)
    reads, depth = 0, s.hold.shape[1]
    row = s.dispatch[1]
    sends = s.dispatch[0] and s.waiting[row] < 2
    for i in range(rows):
        takes[i] = 0
        token, keep = NONE, False
        if s.waiting[i]:
            part, n = s.parts[i, 0], s.at[i] % columns
            keep = reuse and not part & (EMPTY_ROW | FIRST) and not ends[n]
            source = EMPTY if part & EMPTY_ROW else FB
            if source == FB and reuse and not begins[n] and not part & LAST:
                source = CHAIN
            if a.level[1, i * cols] < a.shape[3] and not (keep and s.hold_level[i] == depth):
                if source == EMPTY:
                    token = PLACEHOLDER
                elif source == FB and fb_level[i]:
                    token, takes[i] = fb_token[i], 1
                    reads += s.begins[i]
                elif source == CHAIN and s.hold_level[i + 1]:
                    token = s.hold[i + 1, s.hold_head[i + 1]]
                    s.taken[i + 1] = 1
        if s.taken[i]:
            s.hold_head[i] = (s.hold_head[i] + 1) % depth
            s.hold_level[i] -= 1
            s.taken[i] = 0
        if token != NONE:
            a.arrives[1, i * cols] = token
            s.begins[i] = token & EOG != 0
            if keep:
                s.hold[i, (s.hold_head[i] + s.hold_level[i]) % depth] = token
                s.hold_level[i] += 1
            if token & EOG:
                s.at[i] += 1
                if s.at[i] == groups:
                    s.at[i] = 0
                    s.parts[i, 0] = s.parts[i, 1]
                    s.waiting[i] -= 1
    if sends:
        s.parts[row, s.waiting[row]] = parts[s.dispatch[2], row]
        s.waiting[row] += 1
        s.dispatch[1] += 1
        if row == rows - 1:
            s.dispatch[1] = 0
            s.dispatch[2] += 1
            s.dispatch[0] = s.dispatch[2] < len(parts)
    return reads
