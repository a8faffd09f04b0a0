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
from golden.mnf.timing.inline import inlined
from golden.mnf.timing.network import BEHIND, COPIES, CORE, DEST, NEXT, TILES
from golden.mnf.timing.pe import COMES, GROUPS, QUEUE
from hw.mnf.config import MNFConfig

PAST = -1 << 40
START = 1 << 12         # of what is counted in rings, beyond any one's length
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
    """Rings of times, all of the same length, a power of two, and how many each has had."""

    flits: np.ndarray           # int64 [nodes, ring, FLIT_FIELDS]
    passed: np.ndarray          # int64 [nodes]
    events: np.ndarray          # int64 [PEs, ring, EVENT_FIELDS]
    came: np.ndarray            # int64 [PEs]
    pixels: np.ndarray          # int64 [ports, ring, PIXEL_FIELDS]
    read: np.ndarray            # int64 [ports]
    sent: np.ndarray            # int64 [ports, ring, SENT_FIELDS]
    made: np.ndarray            # int64 [ports]
    wants: np.ndarray           # int64 [nodes]: of one flit, its destinations behind each router
    enters: np.ndarray          # int64 [nodes]: when it enters each
    vectors: np.ndarray         # int64 [PEs]: all
    since: np.ndarray           # int64 [1 + PEs]: when this began; what the heat map then had


def flight(config: MNFConfig) -> Flight:
    """Nothing is under way."""
    # All FIFOs on the longest way, stages of a PE, and of a generator five pixels, each with an
    # event for every target.
    most = (config.nodes * config.link_fifo + config.event_fifo + 2 * config.vector_fifo
            + 5 * config.pes + 20)
    ring = 1 << most.bit_length()

    def rings(count: int, fields: int) -> np.ndarray:
        return np.full((count, ring, fields), PAST, np.int64)

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
        air.passed[n] = START
        for k in range(air.flits.shape[1]):
            air.flits[n, k, ENTERED] = air.flits[n, k, LEFT] = PAST
    for n in range(len(air.events)):
        air.came[n], air.vectors[n] = START, 0
        for k in range(air.flits.shape[1]):
            for field in range(EVENT_FIELDS):
                air.events[n, k, field] = PAST
            air.events[n, k, VECTORS] = 0
    for p in range(len(air.pixels)):
        air.read[p] = air.made[p] = START
        for k in range(air.flits.shape[1]):
            for field in range(PIXEL_FIELDS):
                air.pixels[p, k, field] = PAST
            for field in range(SENT_FIELDS):
                air.sent[p, k, field] = PAST


@inlined
def space(air, node, depth):
    """From when on a router takes another flit."""
    mask = air.flits.shape[1] - 1
    return air.flits[node, air.passed[node] - depth & mask, LEFT] + 1


@inlined
def carry(air, net, pes, shares, heat, width, first, entered, flit, done):
    """A flit that enters router `first` in `entered` goes to all its PEs; branches of `done` have
    it already."""
    mask = air.flits.shape[1] - 1
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
        at = air.flits[n, air.passed[n] & mask]
        head = max(air.enters[n], air.flits[n, air.passed[n] - 1 & mask, LEFT]) + 1
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


@inlined
def work(air, heat, width, n, offered, vectors, depth):
    """An event of `vectors` comes to PE `n`, whose event FIFO has `depth` places. Returns when it
    is taken."""
    mask = air.flits.shape[1] - 1
    at = air.came[n]
    taken = max(offered, air.events[n, at - depth & mask, DECODE] + 1)
    air.events[n, at & mask, TAKEN] = taken
    onward(air, heat, width, n, TAKEN, vectors)
    return taken


@inlined
def onward(air, heat, width, n, stage, vectors):
    """PE `n`'s next event goes on from a stage whose time it has."""
    mask = air.flits.shape[1] - 1
    at = air.came[n]
    one, before = air.events[n, at & mask], air.events[n, at - 1 & mask]
    for k in range(stage + 1, WALK):
        one[k] = max(one[k - 1] + 1, before[k + 1])
    walk(air, heat, width, n, max(one[DIVIDE] + 1, before[WALK] + before[VECTORS]), vectors)


@inlined
def walk(air, heat, width, n, start, vectors):
    """PE `n`'s next event enters the walk in `start`."""
    mask = air.flits.shape[1] - 1
    at = air.came[n]
    before = air.events[n, at - 1 & mask]
    leave(air, heat, width, n, start, max(start + 3, before[TURN] + before[VECTORS]), vectors)


@inlined
def leave(air, heat, width, n, start, turn, vectors):
    """Its vectors leave the FIFO behind the SRAM from `turn` on."""
    mask = air.flits.shape[1] - 1
    at = air.came[n]
    one, before = air.events[n, at & mask], air.events[n, at - 1 & mask]
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


@inlined
def pixel(air, p, number, taken):
    """Port `p`'s generator takes a pixel; `events` is to follow."""
    mask = air.flits.shape[1] - 1
    at = air.read[p]
    one, before = air.pixels[p, at & mask], air.pixels[p, at - 1 & mask]
    one[TAPS] = max(taken + 1, before[MATCH])
    one[MATCH] = max(one[TAPS] + 1, before[GONE])
    one[PIXEL] = number
    air.read[p] += 1


@inlined
def ready(air, p):
    """From when on port `p`'s generator takes another pixel."""
    mask = air.flits.shape[1] - 1
    return air.pixels[p, air.read[p] - 1 & mask, TAPS]


@inlined
def choose(air, p, target, first):
    """An event of the last pixel, for `target`; `first`: the first one. None, if that is −1."""
    mask = air.flits.shape[1] - 1
    of = air.read[p] - 1
    before, one = air.sent[p, air.made[p] - 1 & mask], air.sent[p, air.made[p] & mask]
    come = air.pixels[p, of & mask, MATCH] if first else before[CHOOSE]
    chosen = max(come + 1, before[OUTPUT])
    air.pixels[p, of & mask, GONE] = chosen
    if target >= 0:
        one[CHOOSE], one[OUTPUT] = chosen, max(chosen + 1, before[PORT])
        one[OF], one[WHAT], one[TARGET] = of, air.pixels[p, of & mask, PIXEL], target
        air.made[p] += 1
