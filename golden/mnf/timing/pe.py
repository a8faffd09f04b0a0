"""A PE in time, cycle by cycle: when it takes flits, multiplies, drains (README, *Cycles*)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import borrowed
from golden.mnf.timing.network import READY, offer, takes_result
from hw.mnf.config import MNFConfig

EVENT, END, CONFIG, WEIGHT, BIAS, POINTER = range(6)        # of a flit
STAGES = 9                  # from the drain to the result network
NOTHING, LAST = -2, -1      # in such a stage: no output, the end; else the number of a pixel

# Columns of the PEs [PEs, columns]: kinds of flits that it takes in this cycle, a bit each; whether
# the drain has the MACs in it; what these take: nothing, a vector, the end (2).
# Core: events in the FIFO and where its head is; vectors of the event in DECODE, ORIGIN and DIVIDE
# (0: none, −1: the end of the data); words that the walk has left; whether it walks the end; words
# in the load module's register, in the FIFO, in the dispatcher's two stages, in the last FIFO;
# whether the last of them is the end; the pass inside, and that of the next event to come.
# Drain: one waits to begin, and of which pass; one is going on; sums are to come; only the end is;
# rows to be asked for, rows to be worked through; a row was asked for, when it comes, one waits;
# one is worked through, its lane; the next sum; the next of the pass's fired pixels and their end;
# lanes of a row; where the ring of stages begins. With weight sparsity, where the numbers of events
# take the place of their vectors: the event whose tiles are looked up, tiles to the right and below
# that are to come, where the next one's words stand, and those of its row's first; words of the
# tile that was looked up, plus one, −1: the end. Then the ring, and the event FIFO.
(READY_KINDS, ASKS, TAKES, EVENTS, HEAD, DECODE, ORIGIN, DIVIDE, WALK, WALKS_END, OUT, WORK, FULL,
 TURNED, OPERANDS, END_IN, PASS, COMES, PENDING, PENDING_PASS, ACTIVE, BUSY, ENDING, TO_ASK, TO_DO,
 COMING, ROW_AT, AHEAD, VALID, LANE, SUM, NEXT, NEXT_END, USED, PIPE, TILE, RIGHT, DOWN, COUNT_AT,
 ROW_COUNT, FETCH, STAGE) = range(42)
QUEUE = STAGE + STAGES
# Columns of what PEs are told of each pass [passes, PEs, columns]: the next pass that it is a
# member of; groups of output channels; whether it fires, whether events wait for a drain; rows of
# sums to be drained, sums of a row; where its fired pixels are in `fired`.
# With weight sparsity: where its tiles' words are in `Sparse.words`, and tiles of a row.
(SHARE_NEXT, GROUPS, FIRES, WAITS, ROWS, ROW_SUMS, FIRST, END_AT, TILES_AT, ACROSS,
 SHARE_COLUMNS) = range(11)
# `fired` is int64 [pixels, 2]: the sum at which each comes, from 0; its number.


class Sparse(NamedTuple):
    """What events cost where lanes hold lists of weights."""

    words: np.ndarray           # int64: of every tile of every share; none without weight sparsity
    # int64 [SPARSE_EVENTS, 3], a ring: of the first tile that an event reaches the place in a
    # share's words; tiles across; tiles down.
    events: np.ndarray


SPARSE_EVENTS = 1024            # more than can be under way


def pes(config: MNFConfig) -> np.ndarray:
    """All at rest."""
    assert READY_KINDS == READY
    out = np.zeros((config.pes, QUEUE + config.event_fifo), np.int64)
    out[:, STAGE:QUEUE] = NOTHING
    return out


@borrowed
def quiet(core):
    """No event anywhere."""
    return (core[EVENTS] == 0 and core[DECODE] == 0 and core[ORIGIN] == 0 and core[DIVIDE] == 0
            and core[WALK] == 0 and core[TILE] == 0 and core[FETCH] == 0 and inside(core) == 0)


@borrowed
def inside(core):
    """Words between their read and the MACs."""
    return core[OUT] + core[WORK] + core[FULL] + core[TURNED] + core[OPERANDS]


@borrowed
def look(pes, shares, n, clearing):
    """What PE `n` does in this cycle, from what it holds at its start. Returns: does it drain?"""
    one = pes[n]
    asks = one[TO_ASK] > 0 and not one[COMING] and not one[AHEAD]
    takes = 0
    if one[OPERANDS] > 0 and not asks and not clearing:
        takes = 2 if one[END_IN] and inside(one) == 1 else 1
    pending = one[PENDING] or (takes == 2 and shares[one[PASS], n, FIRES])
    draining = pending or one[ACTIVE]
    kinds = 0
    if one[EVENTS] < len(one) - QUEUE and not (draining and shares[one[COMES], n, WAITS]):
        kinds |= 1 << EVENT | 1 << END
    if quiet(one) and not pending:
        kinds |= 1 << CONFIG | 1 << WEIGHT | 1 << POINTER
    if not pending:
        kinds |= 1 << BIAS
    one[READY_KINDS], one[ASKS], one[TAKES] = kinds, asks, takes
    return draining


@borrowed
def step(pes, shares, fired, sparse, back, n, flit, now, depth):
    """The end of the cycle: PE `n` got `flit` (−1: none). `depth`: of the vectors' FIFOs."""
    one = pes[n]
    starts = one[PENDING] and not one[ACTIVE]
    if one[ACTIVE]:
        work(pes, fired, back, n, now)
    if one[TAKES] == 2 and shares[one[PASS], n, FIRES]:
        one[PENDING], one[PENDING_PASS] = 1, one[PASS]
    elif starts:
        begin(pes, shares, n)
    if flit >= 0 or not quiet(one):
        vectors = 0
        if flit >= 0 and flit & 7 <= END:
            one[PASS] = one[COMES]
            vectors = flit >> 3
            if len(sparse.words) == 0:
                vectors *= shares[one[PASS], n, GROUPS]
            if flit & 7 == END:
                vectors, one[COMES] = -1, shares[one[PASS], n, SHARE_NEXT]
        multiply(one, shares[one[PASS], n], sparse, vectors, depth)


@borrowed
def begin(pes, shares, n):
    """A drain begins."""
    one = pes[n]
    own = shares[one[PENDING_PASS], n]
    one[PENDING] = 0
    one[ACTIVE] = one[BUSY] = 1
    one[TO_ASK] = one[TO_DO] = own[ROWS]
    one[USED], one[SUM] = own[ROW_SUMS], 0
    one[NEXT], one[NEXT_END] = own[FIRST], own[END_AT]


@borrowed
def multiply(core, share, sparse, vectors, depth):
    """The core, from the event FIFO to the MACs; an event of `vectors` arrives (0: none)."""
    events = len(core) - QUEUE
    room, work_room = core[OPERANDS] < depth, core[WORK] < depth
    some, there = core[WORK] > 0, core[EVENTS] > 0
    if core[TAKES]:
        core[OPERANDS] -= 1
        if core[TAKES] == 2:
            core[END_IN] = 0
    if core[TURNED] and room:
        core[OPERANDS] += 1
        core[TURNED] = 0
    if not core[TURNED]:
        core[TURNED], core[FULL] = core[FULL], 0
    if not core[FULL] and some:
        core[FULL] = 1
        core[WORK] -= 1
    if core[OUT] and work_room:
        core[WORK] += 1
        core[OUT] = 0
    if core[WALK] and not core[OUT]:
        core[OUT] = 1
        core[WALK] -= 1
        if core[WALKS_END]:
            core[END_IN], core[WALKS_END] = 1, 0
    if len(sparse.words):
        look_up(core, share, sparse)
    elif not core[WALK] and core[DIVIDE]:
        core[WALKS_END] = core[DIVIDE] < 0
        core[WALK] = 1 if core[DIVIDE] < 0 else core[DIVIDE]
        core[DIVIDE] = 0
    if not core[DIVIDE]:
        core[DIVIDE], core[ORIGIN] = core[ORIGIN], 0
    if not core[ORIGIN]:
        core[ORIGIN], core[DECODE] = core[DECODE], 0
    if not core[DECODE] and there:
        core[DECODE] = core[QUEUE + core[HEAD]]
        core[HEAD] = (core[HEAD] + 1) % events
        core[EVENTS] -= 1
    if vectors:
        core[QUEUE + (core[HEAD] + core[EVENTS]) % events] = vectors
        core[EVENTS] += 1


@borrowed
def look_up(core, share, sparse):
    """The stages TILE and FETCH of `SparseLoad`, and its walk's beginning."""
    free = core[WALK] == 0
    leave = core[FETCH] != 0 and (free or core[FETCH] == 1)
    if free and core[FETCH] != 0:
        core[WALKS_END] = core[FETCH] < 0
        core[WALK] = 1 if core[FETCH] < 0 else core[FETCH] - 1
    if leave:
        core[FETCH] = 0
    if core[TILE] and not core[FETCH]:
        if core[TILE] < 0:
            core[FETCH], core[TILE] = -1, 0
        else:
            core[FETCH] = 1 + sparse.words[share[TILES_AT] + core[COUNT_AT]]
            if core[RIGHT]:
                core[RIGHT] -= 1
                core[COUNT_AT] -= 1
            elif core[DOWN]:
                core[DOWN] -= 1
                core[ROW_COUNT] -= share[ACROSS]
                core[COUNT_AT], core[RIGHT] = core[ROW_COUNT], sparse.events[core[TILE] - 1, 1] - 1
            else:
                core[TILE] = 0
    if not core[TILE] and core[DIVIDE]:
        core[TILE], core[DIVIDE] = core[DIVIDE], 0
        if core[TILE] > 0:
            event = sparse.events[core[TILE] - 1]
            core[COUNT_AT] = core[ROW_COUNT] = event[0]
            core[RIGHT], core[DOWN] = event[1] - 1, event[2] - 1


@borrowed
def work(pes, fired, back, n, now):
    """A cycle of a drain and of the activation module."""
    drain = pes[n]
    at = STAGE + drain[PIPE]            # the last stage
    advance = True
    if drain[at] != NOTHING:
        advance = takes_result(back, n + 1, 2)
        if advance:
            offer(back, n + 1, 2, -2 - n if drain[at] == LAST else drain[at])
            if drain[at] == LAST:
                drain[ACTIVE] = 0
            drain[at] = NOTHING
    leave = drain[VALID] and advance and drain[LANE] + 1 == drain[USED]
    if advance:
        entry = NOTHING
        if drain[VALID]:
            if drain[NEXT] < drain[NEXT_END] and fired[drain[NEXT], 0] == drain[SUM]:
                entry = fired[drain[NEXT], 1]
                drain[NEXT] += 1
            drain[SUM] += 1
        elif drain[ENDING]:
            entry = LAST
            drain[ENDING] = 0
        # The ring turns: what was last but one is last, the newest takes the place of the last.
        drain[at] = entry
        drain[PIPE] = (drain[PIPE] + STAGES - 1) % STAGES
    row = drain[COMING] and drain[ROW_AT] == now
    if drain[AHEAD] and (not drain[VALID] or leave):
        drain[AHEAD], drain[VALID], drain[LANE] = 0, 1, 0
    elif leave:
        drain[VALID] = 0
    elif drain[VALID] and advance:
        drain[LANE] += 1
    if leave:
        drain[TO_DO] -= 1
        if drain[TO_DO] == 0:
            drain[BUSY], drain[ENDING] = 0, 1
    if row:
        drain[AHEAD], drain[COMING] = 1, 0
    if drain[ASKS]:
        drain[COMING], drain[ROW_AT] = 1, now + 2
        drain[TO_ASK] -= 1

