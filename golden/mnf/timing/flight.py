"""The multiply phase as a recurrence: flits and events while nothing drains.

Then each port's tree has one source, and up to the MACs there are FIFOs alone: the times of a flit
follow from those of the flits before it (hw/mnf/README.md, *Cycles*), however far ahead they lie. A
time is the cycle in which something moves on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import borrowed
from golden.mnf.timing import network
from golden.mnf.timing.network import BEHIND, COPIES, CORE, DEST, NEXT, TILES
from golden.mnf.timing.pe import COMES, GROUPS, QUEUE
from hw.mnf.config import MNFConfig

PAST = -1 << 40
RING = 512              # flits, events, pixels that may be under way in one place
MASK = RING - 1
# Of a flit in a router: it entered; each branch copied it; it left; what it is.
ENTERED, COPIED, _, _, LEFT, FLIT, FLIT_FIELDS = range(7)
# Of an event in a PE: taken; it entered DECODE, ORIGIN, DIVIDE and the walk; its vectors; its first
# one left the FIFO behind the SRAM, was taken by the MACs. The others follow, one in each cycle.
TAKEN, DECODE, ORIGIN, DIVIDE, WALK, VECTORS, TURN, MAC, EVENT_FIELDS = range(9)
# Of a pixel in a generator: it entered TAPS and MATCH, left MATCH; its number.
TAPS, MATCH, GONE, PIXEL, PIXEL_FIELDS = range(5)
# Of an event in a generator: it entered CHOOSE, the output, the network; its pixel's place in the
# ring; its pixel and target.
CHOOSE, OUTPUT, PORT, OF, WHAT, TARGET, SENT_FIELDS = range(7)


class Flight(NamedTuple):
    """Rings of times, and how many each has had."""

    flits: np.ndarray           # int64 [nodes, RING, FLIT_FIELDS]
    passed: np.ndarray          # int64 [nodes]
    events: np.ndarray          # int64 [PEs, RING, EVENT_FIELDS]
    came: np.ndarray            # int64 [PEs]
    pixels: np.ndarray          # int64 [ports, RING, PIXEL_FIELDS]
    read: np.ndarray            # int64 [ports]
    sent: np.ndarray            # int64 [ports, RING, SENT_FIELDS]
    made: np.ndarray            # int64 [ports]
    wants: np.ndarray           # int64 [nodes]: of one flit, its destinations behind each router
    enters: np.ndarray          # int64 [nodes]: when it enters each
    vectors: np.ndarray         # int64 [PEs]: all
    since: np.ndarray           # int64 [1 + PEs]: when this began; what the heat map then had


def flight(config: MNFConfig) -> Flight:
    """Nothing is under way."""
    fifos = config.nodes * config.link_fifo + config.event_fifo + 2 * config.vector_fifo
    # A generator holds five pixels, each with an event for every target.
    assert fifos + 5 * config.pes + 20 < RING

    def rings(count: int, fields: int) -> np.ndarray:
        return np.full((count, RING, fields), PAST, np.int64)

    def each(count: int) -> np.ndarray:
        return np.zeros(count, np.int64)

    nodes, pes, ports = config.nodes, config.pes, config.ports
    return Flight(rings(nodes, FLIT_FIELDS), each(nodes), rings(pes, EVENT_FIELDS), each(pes),
                  rings(ports, PIXEL_FIELDS), each(ports), rings(ports, SENT_FIELDS), each(ports),
                  each(nodes), each(nodes), each(pes), each(1 + pes))


@borrowed
def forget(air):
    """All that was is long past."""
    for n in range(len(air.flits)):
        air.passed[n] = RING
        for k in range(RING):
            air.flits[n, k, ENTERED] = air.flits[n, k, LEFT] = PAST
    for n in range(len(air.events)):
        air.came[n], air.vectors[n] = RING, 0
        for k in range(RING):
            for field in range(EVENT_FIELDS):
                air.events[n, k, field] = PAST
            air.events[n, k, VECTORS] = 0
    for p in range(len(air.pixels)):
        air.read[p] = air.made[p] = RING
        for k in range(RING):
            for field in range(PIXEL_FIELDS):
                air.pixels[p, k, field] = PAST
            for field in range(SENT_FIELDS):
                air.sent[p, k, field] = PAST


@borrowed
def space(air, node, depth):
    """From when on a router takes another flit."""
    return air.flits[node, air.passed[node] - depth & MASK, LEFT] + 1


@borrowed
def carry(air, net, pes, shares, heat, width, first, entered, flit, done):
    """A flit that enters router `first` in `entered` goes to all its PEs; branches of `done` have
    it already."""
    depth = net.shape[1] - network.WORDS
    low, left = flit & (1 << DEST) - 1, flit >> DEST
    air.wants[first], air.enters[first] = left, entered
    for n in range(first, len(net)):
        if left == 0:
            return
        own = air.wants[n]
        if own == 0:
            continue
        air.wants[n] = 0
        at = air.flits[n, air.passed[n] & MASK]
        head = max(air.enters[n], air.flits[n, air.passed[n] - 1 & MASK, LEFT]) + 1
        at[ENTERED], at[LEFT], at[FLIT] = air.enters[n], head, low | own << DEST
        for branch in range(3):
            mine, copied = own & net[n, BEHIND + branch], PAST
            if mine and done >> branch & 1:
                left &= ~mine
            elif mine:
                if branch == CORE:
                    groups = shares[pes[n - 1, COMES], n - 1, GROUPS]
                    copied = work(air, heat, width, n - 1, head, (low >> TILES) * groups,
                                  pes.shape[1] - QUEUE)
                    left &= ~mine
                else:
                    to = net[n, NEXT + branch]
                    copied = max(head, space(air, to, depth))
                    air.wants[to], air.enters[to] = mine, copied
                at[LEFT] = max(at[LEFT], copied)
                net[n, COPIES + branch] += 1
            at[COPIED + branch] = copied
        air.passed[n] += 1
        done = 0


@borrowed
def work(air, heat, width, n, offered, vectors, depth):
    """An event of `vectors` comes to PE `n`, whose event FIFO has `depth` places. Returns when it
    is taken."""
    at = air.came[n]
    taken = max(offered, air.events[n, at - depth & MASK, DECODE] + 1)
    air.events[n, at & MASK, TAKEN] = taken
    onward(air, heat, width, n, TAKEN, vectors)
    return taken


@borrowed
def onward(air, heat, width, n, stage, vectors):
    """PE `n`'s next event goes on from a stage whose time it has."""
    at = air.came[n]
    one, before = air.events[n, at & MASK], air.events[n, at - 1 & MASK]
    for k in range(stage + 1, WALK):
        one[k] = max(one[k - 1] + 1, before[k + 1])
    walk(air, heat, width, n, max(one[DIVIDE] + 1, before[WALK] + before[VECTORS]), vectors)


@borrowed
def walk(air, heat, width, n, start, vectors):
    """PE `n`'s next event enters the walk in `start`."""
    at = air.came[n]
    before = air.events[n, at - 1 & MASK]
    leave(air, heat, width, n, start, max(start + 3, before[TURN] + before[VECTORS]), vectors)


@borrowed
def leave(air, heat, width, n, start, turn, vectors):
    """Its vectors leave the FIFO behind the SRAM from `turn` on."""
    at = air.came[n]
    one, before = air.events[n, at & MASK], air.events[n, at - 1 & MASK]
    one[WALK], one[VECTORS], one[TURN] = start, vectors, turn
    one[MAC] = max(turn + 3, before[MAC] + before[VECTORS])
    air.came[n] += 1
    air.vectors[n] += vectors
    if len(heat) > 1:
        multiplied(heat, width, n, one[MAC], one[MAC] + vectors, 1)


@borrowed
def multiplied(heat, width, n, first, end, sign):
    """Vectors of the cycles [first, end), one in each, on the heat map."""
    while first < end:
        now = min(end, (first // width + 1) * width)
        heat[first // width, n, 0] += sign * (now - first)
        first = now


@borrowed
def pixel(air, p, number, taken):
    """Port `p`'s generator takes a pixel; `events` is to follow."""
    at = air.read[p]
    one, before = air.pixels[p, at & MASK], air.pixels[p, at - 1 & MASK]
    one[TAPS] = max(taken + 1, before[MATCH])
    one[MATCH] = max(one[TAPS] + 1, before[GONE])
    one[PIXEL] = number
    air.read[p] += 1


@borrowed
def ready(air, p):
    """From when on port `p`'s generator takes another pixel."""
    return air.pixels[p, air.read[p] - 1 & MASK, TAPS]


@borrowed
def choose(air, p, target, first):
    """An event of the last pixel, for `target`; `first`: the first one. None, if that is −1."""
    of = air.read[p] - 1
    before, one = air.sent[p, air.made[p] - 1 & MASK], air.sent[p, air.made[p] & MASK]
    come = air.pixels[p, of & MASK, MATCH] if first else before[CHOOSE]
    chosen = max(come + 1, before[OUTPUT])
    air.pixels[p, of & MASK, GONE] = chosen
    if target >= 0:
        one[CHOOSE], one[OUTPUT] = chosen, max(chosen + 1, before[PORT])
        one[OF], one[WHAT], one[TARGET] = of, air.pixels[p, of & MASK, PIXEL], target
        air.made[p] += 1
