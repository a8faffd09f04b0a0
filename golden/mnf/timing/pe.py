"""A PE in time, cycle by cycle: when it takes flits, multiplies, drains (README, *Cycles*)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import njit
from golden.mnf.timing.network import offer
from hw.mnf.config import MNFConfig

EVENT, END, CONFIG, WEIGHT, BIAS = range(5)         # of a flit
STAGES = 9                  # from the drain to the result network
NOTHING, LAST = -2, -1      # in such a stage: no output, the end; else the number of a pixel

# `PEs.core`: events in the FIFO and where its head is; vectors of the event in DECODE, ORIGIN and
# DIVIDE (0: none, −1: the end of the data); words that the walk has left; whether it walks the end;
# words in the load module's register, in the FIFO, in the dispatcher's two stages, in the last
# FIFO; whether the last of them is the end; the pass inside, and that of the next event to come.
(EVENTS, HEAD, DECODE, ORIGIN, DIVIDE, WALK, WALKS_END, OUT, WORK, FULL, TURNED, OPERANDS, END_IN,
 PASS, COMES, CORE_FIELDS) = range(16)
# `PEs.drain`: a drain waits to begin, and of which pass; one is going on; sums are to come; only the
# end is; rows to be asked for, rows to be worked through; a row was asked for, when it comes, one
# waits; one is worked through, its lane; the next sum; the next of the pass's fired pixels and
# their end; lanes of a row; where the pipeline begins.
(PENDING, PENDING_PASS, ACTIVE, BUSY, ENDING, TO_ASK, TO_DO, COMING, ROW_AT, AHEAD, VALID, LANE, SUM,
 NEXT, NEXT_END, USED, PIPE, DRAIN_FIELDS) = range(18)


class PEs(NamedTuple):
    """All PEs. Create with `pes`."""

    core: np.ndarray        # int64 [PEs, CORE_FIELDS]
    queue: np.ndarray       # int64 [PEs, event_fifo]: vectors
    drain: np.ndarray       # int64 [PEs, DRAIN_FIELDS]
    pipe: np.ndarray        # int64 [PEs, STAGES]
    ready: np.ndarray       # bool [nodes, 8]: by kind of a flit
    asks: np.ndarray        # bool [PEs]: the drain has the MACs in this cycle
    takes: np.ndarray       # int64 [PEs]: the MACs take nothing, a vector, the end
    depth: np.ndarray       # int64 [2]: of event_fifo, vector_fifo


class Shares(NamedTuple):
    """What PEs are told of each pass, [passes, PEs]."""

    next: np.ndarray        # the next pass that the PE is a member of
    groups: np.ndarray      # of output channels
    fires: np.ndarray
    waits: np.ndarray
    rows: np.ndarray        # of sums, to be drained
    used: np.ndarray        # sums of a row
    first: np.ndarray       # into `slot`
    last: np.ndarray
    slot: np.ndarray        # int64 [pixels]: the sum at which each fired pixel comes, from 0
    pixel: np.ndarray       # int64 [pixels]: its number


def pes(config: MNFConfig) -> PEs:
    """All at rest."""
    n = config.pes
    return PEs(np.zeros((n, CORE_FIELDS), np.int64), np.zeros((n, config.event_fifo), np.int64),
               np.zeros((n, DRAIN_FIELDS), np.int64), np.full((n, STAGES), NOTHING, np.int64),
               np.zeros((config.nodes, 8), np.bool_), np.zeros(n, np.bool_),
               np.zeros(n, np.int64), np.array([config.event_fifo, config.vector_fifo], np.int64))


@njit
def quiet(core):
    """No event anywhere."""
    return (core[EVENTS] == 0 and core[DECODE] == 0 and core[ORIGIN] == 0 and core[DIVIDE] == 0
            and core[WALK] == 0 and inside(core) == 0)


@njit
def inside(core):
    """Words between their read and the MACs."""
    return core[OUT] + core[WORK] + core[FULL] + core[TURNED] + core[OPERANDS]


@njit
def look(all, shares, n, clearing):
    """What PE `n` does in this cycle, from what it holds at its start."""
    core, drain = all.core[n], all.drain[n]
    asks = drain[TO_ASK] > 0 and not drain[COMING] and not drain[AHEAD]
    takes = 0
    if core[OPERANDS] > 0 and not asks and not clearing:
        takes = 2 if core[END_IN] and inside(core) == 1 else 1
    ended = takes == 2 and shares.fires[core[PASS], n]
    pending = drain[PENDING] or ended
    draining = pending or drain[ACTIVE]
    still = quiet(core) and not pending
    ready = all.ready[n + 1]
    ready[EVENT] = core[EVENTS] < all.depth[0] and not (
        draining and shares.waits[core[COMES], n])
    ready[END] = ready[EVENT]
    ready[CONFIG] = ready[WEIGHT] = still
    ready[BIAS] = not pending
    all.asks[n], all.takes[n] = asks, takes
    return draining


@njit
def step(all, shares, results, n, flit, now):
    """The end of the cycle: PE `n` got `flit` (−1: none)."""
    core, drain = all.core[n], all.drain[n]
    starts = drain[PENDING] and not drain[ACTIVE]
    if drain[ACTIVE]:
        work(all, shares, results, n, now)
    if all.takes[n] == 2 and shares.fires[core[PASS], n]:
        drain[PENDING], drain[PENDING_PASS] = 1, core[PASS]
    elif starts:
        begin(drain, shares, n)
    if flit >= 0 or not quiet(core):
        vectors = 0
        if flit >= 0 and flit & 7 <= END:
            core[PASS] = core[COMES]
            vectors = (flit >> 3) * shares.groups[core[PASS], n]
            if flit & 7 == END:
                vectors, core[COMES] = -1, shares.next[core[PASS], n]
        multiply(all, n, vectors)


@njit
def begin(drain, shares, n):
    """A drain begins."""
    one = drain[PENDING_PASS]
    drain[PENDING] = 0
    drain[ACTIVE] = drain[BUSY] = 1
    drain[TO_ASK] = drain[TO_DO] = shares.rows[one, n]
    drain[USED], drain[SUM] = shares.used[one, n], 0
    drain[NEXT], drain[NEXT_END] = shares.first[one, n], shares.last[one, n]


@njit
def multiply(all, n, vectors):
    """The core, from the event FIFO to the MACs; `vectors` arrive (0: none)."""
    core = all.core[n]
    depth = all.depth[1]
    room, work_room = core[OPERANDS] < depth, core[WORK] < depth
    some, there = core[WORK] > 0, core[EVENTS] > 0
    if all.takes[n]:
        core[OPERANDS] -= 1
        if all.takes[n] == 2:
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
    if not core[WALK] and core[DIVIDE]:
        core[WALKS_END] = core[DIVIDE] < 0
        core[WALK] = 1 if core[DIVIDE] < 0 else core[DIVIDE]
        core[DIVIDE] = 0
    if not core[DIVIDE]:
        core[DIVIDE], core[ORIGIN] = core[ORIGIN], 0
    if not core[ORIGIN]:
        core[ORIGIN], core[DECODE] = core[DECODE], 0
    if not core[DECODE] and there:
        core[DECODE] = all.queue[n, core[HEAD]]
        core[HEAD] = (core[HEAD] + 1) % all.depth[0]
        core[EVENTS] -= 1
    if vectors:
        all.queue[n, (core[HEAD] + core[EVENTS]) % all.depth[0]] = vectors
        core[EVENTS] += 1


@njit
def work(all, shares, results, n, now):
    """A cycle of a drain and of the activation module."""
    drain, pipe = all.drain[n], all.pipe[n]
    at = drain[PIPE]                    # the last stage
    advance = True
    if pipe[at] != NOTHING:
        advance = results.before[n + 1, 2] < results.word.shape[2]
        if advance:
            offer(results, n + 1, -2 - n if pipe[at] == LAST else pipe[at])
            if pipe[at] == LAST:
                drain[ACTIVE] = 0
            pipe[at] = NOTHING
    leave = drain[VALID] and advance and drain[LANE] + 1 == drain[USED]
    if advance:
        entry = NOTHING
        if drain[VALID]:
            if drain[NEXT] < drain[NEXT_END] and shares.slot[drain[NEXT]] == drain[SUM]:
                entry = shares.pixel[drain[NEXT]]
                drain[NEXT] += 1
            drain[SUM] += 1
        elif drain[ENDING]:
            entry = LAST
            drain[ENDING] = 0
        # The ring turns: what was last but one is last, the newest takes the place of the last.
        pipe[at] = entry
        drain[PIPE] = (at + STAGES - 1) % STAGES
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
    if all.asks[n]:
        drain[COMING], drain[ROW_AT] = 1, now + 2
        drain[TO_ASK] -= 1

