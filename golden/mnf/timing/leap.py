"""From registers to the times of `flight` and back: the machine leaps over its multiply phases."""

from __future__ import annotations

from golden.jit import borrowed
from golden.mnf.timing import flight, network, pe, storage
from golden.mnf.timing.flight import PAST
from golden.mnf.timing.inline import inlined
from golden.mnf.timing.network import DEST, TILES


@borrowed
def still(engine, depth):
    """Nothing drains, no sum is on its way back, no end of data is anywhere, and no FIFO of a PE is
    full that was in a drain's way; of flits there are but events."""
    for n in range(len(engine.pes)):
        one = engine.pes[n]
        if (one[pe.PENDING] or one[pe.ACTIVE] or one[pe.END_IN] or one[pe.WALKS_END]
                or one[pe.OPERANDS] >= depth or one[pe.WORK] >= depth
                or one[pe.DECODE] < 0 or one[pe.ORIGIN] < 0 or one[pe.DIVIDE] < 0):
            return False
        events = len(one) - pe.QUEUE
        for k in range(one[pe.EVENTS]):
            if one[pe.QUEUE + (one[pe.HEAD] + k) % events] < 0:
                return False
    return returned(engine) and only(engine.net, True)


@borrowed
def returned(engine):
    """No result is on its way, or in a bank's hands."""
    back, port = engine.back, engine.storage.ports
    size = (back.shape[1] - network.INPUTS) // 3
    held = 0
    for n in range(len(back)):
        for k in range(3):
            held += back[n, network.INPUTS + k * size + network.R_COUNT]
    for p in range(len(port)):
        held += port[p, storage.FULL] >= 0
    return held == 0


@borrowed
def only(net, events):
    """All flits are events; or none is, nor an end."""
    depth = net.shape[1] - network.WORDS
    for n in range(len(net)):
        for k in range(net[n, network.COUNT]):
            kind = net[n, network.WORDS + (net[n, network.HEAD] + k) % depth] & 7
            if (kind != pe.EVENT) if events else (kind <= pe.END):
                return False
    return True


@borrowed
def quiet(engine):
    """PEs take whatever sets them up, one flit in each cycle, and nothing else moves."""
    for n in range(len(engine.pes)):
        if engine.pes[n, pe.PENDING] or engine.pes[n, pe.ACTIVE] or not pe.quiet(engine.pes[n]):
            return False
    for p in range(len(engine.storage.ports)):
        if not storage.generator_idle(engine.storage, p):
            return False
    return returned(engine) and only(engine.net, False)


@borrowed
def count_copies(net, first, dest):
    """A flit goes from router `first` to its PEs unhindered."""
    for n in range(first, len(net)):
        for branch in range(3):
            net[n, network.COPIES + branch] += dest & net[n, network.BEHIND + branch] != 0


@borrowed
def clear(net):
    """Flits that set up go on to their PEs: one in each cycle, behind which nothing waits."""
    depth = net.shape[1] - network.WORDS
    for n in range(len(net)):
        for k in range(net[n, network.COUNT]):
            dest = net[n, network.WORDS + (net[n, network.HEAD] + k) % depth] >> DEST
            for branch in range(3):
                if k == 0 and net[n, network.DONE] >> branch & 1:
                    dest &= ~net[n, network.BEHIND + branch]
            count_copies(net, n, dest)
        net[n, network.HEAD] = net[n, network.COUNT] = net[n, network.DONE] = 0


@borrowed
def take_off(engine, tables, now):
    """All that is under way at the start of cycle `now` goes on as times."""
    air, net, s = engine.air, engine.net, engine.storage
    flight.forget(air)
    air.since[0] = now
    for n in range(len(engine.pes)):
        air.since[1 + n] = engine.heat[now // engine.width[0], n, 0]
        core(engine, n, now)
    depth = net.shape[1] - network.WORDS
    for n in range(len(net) - 1, -1, -1):       # what is further on came first
        for k in range(net[n, network.COUNT]):
            carry(engine, n, now - 1,
                  net[n, network.WORDS + (net[n, network.HEAD] + k) % depth],
                  net[n, network.DONE] if k == 0 else 0)
    for p in range(len(s.ports)):
        generator(engine, tables, p, now)


@borrowed
def core(engine, n, now):
    """Of a PE, the oldest first."""
    mask = engine.air.flits.shape[1] - 1
    air, heat, width, one = engine.air, engine.heat, engine.width[0], engine.pes[n]
    for _ in range(one[pe.OPERANDS]):
        flight.leave(air, heat, width, n, now - 4, now - 3, 1)
    if one[pe.TURNED]:
        flight.leave(air, heat, width, n, now - 4, now - 2, 1)
    if one[pe.FULL]:
        flight.leave(air, heat, width, n, now - 4, now - 1, 1)
    for k in range(one[pe.WORK]):
        flight.leave(air, heat, width, n, now - 3, now + k, 1)
    if one[pe.OUT]:
        flight.walk(air, heat, width, n, now - 2, 1)
    if one[pe.WALK]:
        flight.walk(air, heat, width, n, now - 1, one[pe.WALK])
    for stage in range(flight.DIVIDE, flight.TAKEN, -1):
        vectors = one[pe.DECODE + stage - flight.DECODE]
        if vectors:
            air.events[n, air.came[n] & mask, stage] = now - 1
            flight.onward(air, heat, width, n, stage, vectors)
    events = len(one) - pe.QUEUE
    for k in range(one[pe.EVENTS]):
        air.events[n, air.came[n] & mask, flight.TAKEN] = now - 1
        flight.onward(air, heat, width, n, flight.TAKEN,
                      one[pe.QUEUE + (one[pe.HEAD] + k) % events])


@inlined
def carry(engine, first, entered, flit, done):
    flight.carry(engine.air, engine.net, engine.pes, engine.shares, engine.heat,
                 engine.width[0], first, entered, flit, done)


@borrowed
def generator(engine, tables, p, now):
    """Of a port's generator, the oldest first."""
    mask = engine.air.flits.shape[1] - 1
    air, s = engine.air, engine.storage
    at = s.ports[p]
    if at[storage.OUTPUT] >= 0:
        one = air.sent[p, air.made[p] & mask]
        one[flight.CHOOSE], one[flight.OUTPUT], one[flight.OF] = PAST, now - 1, PAST
        one[flight.WHAT], one[flight.TARGET] = at[storage.OUTPUT], at[storage.OUTPUT_TARGET]
        air.made[p] += 1
        depart_once(engine, tables, p)
    if at[storage.CHOOSE] >= 0:
        before, one = air.sent[p, air.made[p] - 1 & mask], air.sent[p, air.made[p] & mask]
        one[flight.CHOOSE], one[flight.OF] = now - 1, PAST
        one[flight.OUTPUT] = max(now, before[flight.PORT])
        one[flight.WHAT], one[flight.TARGET] = at[storage.CHOOSE], at[storage.CHOSEN]
        air.made[p] += 1
        depart_once(engine, tables, p)
    before = air.pixels[p, air.read[p] - 1 & mask]
    if at[storage.MATCH] >= 0:
        one = air.pixels[p, air.read[p] & mask]
        one[flight.TAPS] = one[flight.MATCH] = now - 1
        one[flight.PIXEL] = at[storage.MATCH]
        air.read[p] += 1
        send_once(engine, tables, p, at[storage.PENDING])
        before = one
    if at[storage.TAPS] >= 0:
        one = air.pixels[p, air.read[p] & mask]
        one[flight.TAPS], one[flight.PIXEL] = now - 1, at[storage.TAPS]
        one[flight.MATCH] = max(now, before[flight.GONE])
        air.read[p] += 1
        send_once(engine, tables, p, storage.hits(s, p, tables, at[storage.TAPS]))
    if at[storage.SPLIT] >= 0:
        flight.pixel(air, p, at[storage.SPLIT], now - 1)
        send_once(engine, tables, p, storage.hits(s, p, tables, at[storage.SPLIT]))


@inlined
def take(engine, tables, p, number, now):
    """Port `p`'s generator takes a pixel in cycle `now`."""
    flight.pixel(engine.air, p, number, now)
    send(engine, tables, p, storage.hits(engine.storage, p, tables, number))


@inlined
def send(engine, tables, p, pending):
    """The last pixel's events, for the targets of `pending`, a bit each."""
    if pending == 0:
        flight.choose(engine.air, p, -1, True)
    first = True
    for t in range(len(tables.targets)):
        if pending >> t & 1:
            flight.choose(engine.air, p, t, first)
            depart(engine, tables, p)
            first = False


@inlined
def depart(engine, tables, p):
    """The last event of a port onto the network."""
    mask = engine.air.flits.shape[1] - 1
    air, net, s = engine.air, engine.net, engine.storage
    one, root = air.sent[p, air.made[p] - 1 & mask], s.ports[p, storage.ROOT]
    t = one[flight.TARGET]
    tiles = storage.cost(s, tables, engine.sparse, one[flight.WHAT], t)
    one[flight.PORT] = max(one[flight.OUTPUT] + 1, flight.space(
        air, root, net.shape[1] - network.WORDS))
    carry(engine, root, one[flight.PORT], tiles << TILES | tables.targets[t, 2 + p] << DEST, 0)


@borrowed
def send_once(engine, tables, p, pending):
    """`send` where it is not worth being inlined."""
    send(engine, tables, p, pending)


@borrowed
def depart_once(engine, tables, p):
    """`depart` likewise."""
    depart(engine, tables, p)
