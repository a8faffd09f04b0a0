"""When a port's flits reach its PEs, and when these multiply: a recurrence, flit by flit.

A port serves a section of the mesh alone: one source, a tree of routers, PEs, and nothing but FIFOs
between them. So each flit's times follow from those of the flits before it (hw/mnf/README.md,
*Cycles*). A time is the cycle in which a word moves on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import njit
from hw.mnf.config import MNFConfig

NEVER = 1 << 62

READ_TO_MAC = 5     # cycles from the SRAM's read to the MACs: SRAM, FIFO, dispatcher 2, FIFO

# `Section.generator`: when the last pixel entered TAPS, MATCH; when it, or its last event, entered
# CHOOSE; when the last event entered the output register and was taken by the network.
TAPS, MATCH, CHOOSE, OUTPUT, PORT = range(5)
# `Section.pe`: events taken; when the last one entered DECODE, ORIGIN, DIVIDE and the walk, and
# when its last word was read and taken by the MACs; vectors; the next of its stolen cycles; then of
# the last vector that met one: when it entered the FIFO, the dispatcher, its output, the last FIFO;
# the number of such vectors.
(TAKEN, DECODE, ORIGIN, DIVIDE, WALK, READ, MAC, VECTORS, STOLEN, PUSH, TURN, MOVE, QUEUE,
 VECTOR, PE_FIELDS) = range(15)


class Section(NamedTuple):
    """The routers and PEs of a port, and where they stand. Create with `section`.

    Routers in the order of their tree, parents first; PEs of the whole mesh.
    """

    east: np.ndarray        # int64 [routers]: the router behind the branch, -1: none
    south: np.ndarray
    core: np.ndarray        # int64 [routers]: the PE, -1: none
    behind: np.ndarray      # int64 [routers, 3]: nodes behind E, S and core, a bit each
    leaves: np.ndarray      # int64 [routers, link_fifo]: when the last flits left, a ring
    passed: np.ndarray      # int64 [routers]: flits so far
    generator: np.ndarray   # int64 [5]
    decoded: np.ndarray     # int64 [PEs, event_fifo]: when the last events left the FIFO, a ring
    turned: np.ndarray      # int64 [PEs, vector_fifo]: when vectors left the work FIFO, a ring
    done: np.ndarray        # int64 [PEs, vector_fifo]: when the MACs took them, a ring
    pe: np.ndarray          # int64 [PEs, PE_FIELDS]
    busy: np.ndarray        # int32 [PEs, bins]: vectors by time
    bin: np.ndarray         # int64 [1]: cycles of a bin


def section(config: MNFConfig, port: int, bins: int = 1, width: int = NEVER) -> Section:
    """An idle section before cycle 0. Vectors are counted in `bins` of `width` cycles."""
    cols = config.mesh_cols
    first, end = (n * config.mesh_rows // config.ports for n in (port, port + 1))
    at = [(first, col) for col in range(cols)]
    at += [(row, col) for col in range(cols) for row in range(first + 1, end)]

    def number(row: int, col: int) -> int:
        return at.index((row, col)) if (row, col) in at else -1

    def bits(nodes: list[tuple[int, int]]) -> int:
        return sum(1 << row * cols + col for row, col in nodes)

    east = [number(row, col + 1) if row == first else -1 for row, col in at]
    south = [number(row + 1, col) for row, col in at]
    behind = [[bits([n for n in at if n[1] > col]) if row == first else 0,
               bits([n for n in at if n[1] == col and n[0] > row]),
               bits([(row, col)]) & ~1] for row, col in at]

    def ring(count: int, depth: int) -> np.ndarray:
        return np.full((count, depth), -2, np.int64)

    pe = np.full((config.pes, PE_FIELDS), -2, np.int64)
    pe[:, [TAKEN, VECTORS, STOLEN, VECTOR]] = 0
    return Section(
        np.array(east, np.int64), np.array(south, np.int64),
        np.array([row * cols + col - 1 for row, col in at], np.int64),
        np.array(behind, np.int64), ring(len(at), config.link_fifo),
        np.zeros(len(at), np.int64), np.full(5, -2, np.int64),
        ring(config.pes, config.event_fifo), ring(config.pes, config.vector_fifo),
        ring(config.pes, config.vector_fifo), pe,
        np.zeros((config.pes, bins), np.int32), np.array([width], np.int64))


@njit
def space(one, router):
    """From when on a router's FIFO takes another flit."""
    depth = one.leaves.shape[1]
    return one.leaves[router, one.passed[router] % depth] + 1


@njit
def deliver(one, dest, offered, vectors, closed, stolen, arrived):
    """A flit from the port to its PEs, whose times go to `arrived` (time it enters the router).

    `offered`: the first cycle in which the port offers it; `vectors` [PEs]: those that each PE
    makes of it; `closed` [PEs]: from when on each PE takes one of its kind, whatever its FIFO says;
    `stolen` [PEs, N]: cycles in which a drain has the MACs, ascending. Returns when it was taken.
    """
    taken = max(offered, space(one, 0))
    arrived[:] = -1
    arrived[0] = taken
    for r in range(len(one.core)):
        if arrived[r] < 0:
            continue
        depth = one.leaves.shape[1]
        ring = one.passed[r] % depth
        head = max(arrived[r], one.leaves[r, (one.passed[r] - 1) % depth]) + 1
        leave = head
        if dest & one.behind[r, 0]:
            arrived[one.east[r]] = max(head, space(one, one.east[r]))
            leave = max(leave, arrived[one.east[r]])
        if dest & one.behind[r, 1]:
            arrived[one.south[r]] = max(head, space(one, one.south[r]))
            leave = max(leave, arrived[one.south[r]])
        if dest & one.behind[r, 2]:
            pe = one.core[r]
            leave = max(leave, work(one, pe, max(head, closed[pe]), vectors[pe], stolen[pe]))
        one.leaves[r, ring] = leave
        one.passed[r] += 1
    return taken


@njit
def work(one, n, offered, vectors, stolen):
    """An event, or the end of the data (0 vectors), in PE `n`. Returns when it was taken."""
    pe, depth = one.pe[n], one.decoded.shape[1]
    ring = pe[TAKEN] % depth
    taken = max(offered, one.decoded[n, ring] + 1)
    pe[DECODE] = max(taken + 1, pe[ORIGIN], pe[DECODE] + 1)
    one.decoded[n, ring] = pe[DECODE]
    pe[TAKEN] += 1
    pe[ORIGIN] = max(pe[DECODE] + 1, pe[DIVIDE])
    pe[DIVIDE] = max(pe[ORIGIN] + 1, pe[WALK])
    pe[WALK] = max(pe[DIVIDE] + 1, pe[READ])
    words = max(vectors, 1)
    first, last = pe[WALK] + 1 + READ_TO_MAC, pe[WALK] + words + READ_TO_MAC
    while pe[STOLEN] < len(stolen) and stolen[pe[STOLEN]] < min(first, pe[MAC] + 1):
        pe[STOLEN] += 1
    free = pe[STOLEN] == len(stolen) or stolen[pe[STOLEN]] > last
    if free and pe[MAC] < first:
        pe[READ], pe[MAC] = pe[WALK] + words, last
        if vectors:
            count(one, n, first, last)
    else:
        for _ in range(words):
            vector(one, n, stolen)
            if vectors:
                count(one, n, pe[MAC], pe[MAC])
    pe[VECTORS] += vectors
    return taken


@njit
def vector(one, n, stolen):
    """One word from its read to the MACs, where a drain is in its way."""
    pe, depth = one.pe[n], one.turned.shape[1]
    # The last words that met a drain; those since then are out of the way.
    ring = pe[VECTOR] % depth
    pe[READ] = max(max(pe[READ], pe[WALK]) + 1, pe[PUSH])
    pe[PUSH] = max(pe[READ] + 1, one.turned[n, ring] + 1)
    pe[TURN] = max(pe[PUSH] + 1, pe[MOVE])
    pe[MOVE] = max(pe[TURN] + 1, pe[QUEUE])
    pe[QUEUE] = max(pe[MOVE] + 1, one.done[n, ring] + 1)
    pe[MAC] = max(pe[QUEUE] + 1, pe[MAC] + 1)
    while pe[STOLEN] < len(stolen) and stolen[pe[STOLEN]] <= pe[MAC]:
        pe[MAC] += stolen[pe[STOLEN]] == pe[MAC]
        pe[STOLEN] += 1
    one.turned[n, ring], one.done[n, ring] = pe[TURN], pe[MAC]
    pe[VECTOR] += 1


@njit
def count(one, n, first, last):
    """Vectors of the cycles [first, last], one in each."""
    width = one.bin[0]
    for at in range(first // width, last // width + 1):
        one.busy[n, at] += min(last, (at + 1) * width - 1) - max(first, at * width) + 1


@njit
def pixel(one, offered):
    """A pixel into the generator, offered from a cycle on. Returns when it was taken.

    It is in MATCH after it; `event` takes its events from there, `nothing` if it has none.
    """
    g = one.generator
    taken = max(offered, g[TAPS])       # SPLIT is free when the pixel before enters TAPS
    g[TAPS] = max(taken + 1, g[MATCH])
    g[MATCH] = max(g[TAPS] + 1, g[CHOOSE])
    return taken


@njit
def event(one, first):
    """The next event of the pixel in MATCH; `first`: its first one. Returns when it is offered."""
    g = one.generator
    g[CHOOSE] = max(g[MATCH] + 1 if first else g[CHOOSE] + 1, g[OUTPUT])
    g[OUTPUT] = max(g[CHOOSE] + 1, g[PORT])
    return g[OUTPUT] + 1


@njit
def nothing(one):
    """The pixel in MATCH has no event."""
    g = one.generator
    g[CHOOSE] = max(g[MATCH] + 1, g[OUTPUT])
