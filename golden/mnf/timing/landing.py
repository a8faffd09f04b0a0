"""From the times of `flight` to what stands in each register at the start of a cycle."""

from __future__ import annotations

from golden.jit import borrowed
from golden.mnf.timing import flight, network, pe, storage
from golden.mnf.timing.flight import START


@borrowed
def land(engine, now, waits):
    """Cycle `now` begins. `waits` [PEs]: the cause of a cycle in which a PE does not multiply.
    Returns how many events have gone onto the network."""
    air = engine.air
    for n in range(len(engine.pes)):
        core(engine, n, now)
        spent = air.vectors[n]
        engine.causes[n, 0] += spent
        engine.causes[n, waits[n]] += now - air.since[0] - spent
        warm(engine, n, now, waits[n])
    for n in range(len(engine.net)):
        router(air, engine.net, n, now)
    events = 0
    for p in range(len(engine.storage.ports)):
        events += generator(air, engine.storage.ports[p], p, now)
    return events


@borrowed
def core(engine, n, now):
    """A PE: of each event what is where. Vectors that it has still to multiply do not count."""
    mask = engine.air.flits.shape[1] - 1
    air, one = engine.air, engine.pes[n]
    for field in (pe.EVENTS, pe.HEAD, pe.DECODE, pe.ORIGIN, pe.DIVIDE, pe.WALK, pe.OUT, pe.WORK,
                  pe.FULL, pe.TURNED, pe.OPERANDS):
        one[field] = 0
    first = air.came[n]
    while first > START and last(air.events[n, first - 1 & mask]) >= now:
        first -= 1
    for k in range(first, air.came[n]):
        at = air.events[n, k & mask]
        vectors, start, turn = at[flight.VECTORS], at[flight.WALK], at[flight.TURN]
        read, pushed = upto(now - 1 - start, vectors), upto(now - 2 - start, vectors)
        turned, moved = upto(now - turn, vectors), upto(now - turn - 1, vectors)
        queued, done = upto(now - turn - 2, vectors), upto(now - at[flight.MAC], vectors)
        one[pe.OUT] += read - pushed
        one[pe.WORK] += pushed - turned
        one[pe.FULL] += turned - moved
        one[pe.TURNED] += moved - queued
        one[pe.OPERANDS] += queued - done
        air.vectors[n] -= vectors - done
        if len(engine.heat) > 1:
            flight.multiplied(engine.heat, engine.width[0], n, at[flight.MAC] + done,
                              at[flight.MAC] + vectors, -1)
        if start < now:
            one[pe.WALK] += vectors - read
        elif at[flight.DIVIDE] < now:
            one[pe.DIVIDE] = vectors
        elif at[flight.ORIGIN] < now:
            one[pe.ORIGIN] = vectors
        elif at[flight.DECODE] < now:
            one[pe.DECODE] = vectors
        elif at[flight.TAKEN] < now:
            one[pe.QUEUE + one[pe.EVENTS]] = vectors
            one[pe.EVENTS] += 1


@borrowed
def last(event):
    """When the MACs take an event's last vector."""
    return event[flight.MAC] + event[flight.VECTORS] - 1


@borrowed
def upto(count, most):
    return max(0, min(count, most))


@borrowed
def warm(engine, n, now, waits):
    """The heat map of the cycles in which a PE did not multiply."""
    if len(engine.heat) == 1:
        return
    first, width, before = engine.air.since[0], engine.width[0], engine.air.since[1 + n]
    while first < now:
        end, at = min(now, (first // width + 1) * width), first // width
        engine.heat[at, n, waits] += end - first - (engine.heat[at, n, 0] - before)
        first, before = end, 0


@borrowed
def router(air, net, n, now):
    """A router's FIFO; copies that are still to come do not count."""
    mask = air.flits.shape[1] - 1
    first = air.passed[n]
    while first > START and air.flits[n, first - 1 & mask, flight.LEFT] >= now:
        first -= 1
    net[n, network.HEAD] = net[n, network.COUNT] = net[n, network.DONE] = 0
    for k in range(first, air.passed[n]):
        one = air.flits[n, k & mask]
        held = one[flight.ENTERED] < now
        for branch in range(3):
            if not one[flight.FLIT] >> network.DEST & net[n, network.BEHIND + branch]:
                continue
            if one[flight.COPIED + branch] >= now:
                net[n, network.COPIES + branch] -= 1
            elif held:
                net[n, network.DONE] |= 1 << branch
        if held:
            net[n, network.WORDS + net[n, network.COUNT]] = one[flight.FLIT]
            net[n, network.COUNT] += 1


@borrowed
def generator(air, port, p, now):
    """A port's generator. Returns how many events it has put onto the network."""
    mask = air.flits.shape[1] - 1
    for field in (storage.SPLIT, storage.TAPS, storage.MATCH, storage.CHOOSE, storage.OUTPUT):
        port[field] = storage.EMPTY
    port[storage.PENDING] = 0
    at, of = air.read[p], 0
    while at > START and air.pixels[p, at - 1 & mask, flight.GONE] >= now:
        at -= 1
        one = air.pixels[p, at & mask]
        if one[flight.TAPS] >= now:
            port[storage.SPLIT] = one[flight.PIXEL]
        elif one[flight.MATCH] >= now:
            port[storage.TAPS] = one[flight.PIXEL]
        else:
            port[storage.MATCH], of = one[flight.PIXEL], at
    sent = air.made[p]
    while sent > START and air.sent[p, sent - 1 & mask, flight.PORT] >= now:
        sent -= 1
        one = air.sent[p, sent & mask]
        if one[flight.CHOOSE] >= now:
            port[storage.PENDING] |= (one[flight.OF] == of) << one[flight.TARGET]
        elif one[flight.OUTPUT] >= now:
            port[storage.CHOOSE], port[storage.CHOSEN] = one[flight.WHAT], one[flight.TARGET]
        else:
            port[storage.OUTPUT] = one[flight.WHAT]
            port[storage.OUTPUT_TARGET] = one[flight.TARGET]
    return sent - START
