"""The whole machine in time, a descriptor at a time (hw/mnf/README.md, *Memory image*).

Cycle 0 is the first one in which the machine is busy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden import axi
from golden.jit import borrowed
from golden.mnf.timing import flight, landing, leap, network, pe, storage
from golden.mnf.timing.inline import inlined

# States of the shell and the sequencer, in the order of a descriptor.
(FETCH, CHECK, BEGIN, SETUP, READY, WAIT, CLEAR, REPLAY, END, FINISH, TAKE, OVER) = range(12)
COMPUTE, DRAIN, LOAD, AWAIT, REST, CAUSES = range(6)        # what a PE does in a cycle
# `APART`: cycles that wait for the first line of a map, or after the last pixel for memory;
# `LEAPT`: cycles that were not stepped register by register.
EVENTS, PIXELS, FIRED, SPILLED, READ_BEATS, SETUPS, APART, LEAPT, COUNTS = range(9)
# `Engine.state`: the next cycle; the side that is written, its `keep` and `row_events`; rows of
# events of the other side; lines that its layer spilled, and where; the written side's region;
# cycles in which the sums are cleared, first of all; `vector_fifo`; may it leap?
(NOW, SIDE, KEEP, ROOM, READ_ROOM, SPILL_LINES, SPILL_BEAT, STORE_BEAT, STORE_BEATS,
 CLEARING, DEPTH, LEAPS, STATE_FIELDS) = range(13)
# `Engine.pass_`, of a descriptor: its state; beats of it that came; were the lines of SETUP, of the
# map commanded; has REPLAY begun; is a line there; beats of the next one; lines that went on; have
# all of SETUP's; rows that were cleared; lines of the map; how the cycle is run.
(AT, FETCHED, ASKED, STARTED, LINE, BEATS, GONE, ENDED, CLEARED, MAP_LINES, MODE,
 PASS_FIELDS) = range(12)
# Register by register; PEs at rest take what sets them up; a leap.
STEP, STREAM, LEAP = range(3)


class Engine(NamedTuple):
    """Everything that lasts from descriptor to descriptor."""

    state: np.ndarray               # int64 [STATE_FIELDS]
    pass_: np.ndarray               # int64 [PASS_FIELDS]
    net: np.ndarray                 # `network.networks`
    back: np.ndarray
    pes: np.ndarray                 # `pe.pes`
    shares: np.ndarray              # [passes, PEs, SHARE_COLUMNS]
    fired: np.ndarray               # [pixels, 2]
    sparse: pe.Sparse
    storage: storage.Storage
    reader: axi.Reader
    writer: axi.Writer
    owed: np.ndarray                # int64 [nodes]: ends that are to come
    counts: np.ndarray  # type: ignore[assignment]  # int64 [COUNTS]
    causes: np.ndarray              # int64 [PEs, CAUSES]
    heat: np.ndarray                # int32 [bins, PEs, CAUSES]
    width: np.ndarray               # int64 [1]: cycles of a bin of it
    scratch: np.ndarray             # int64 [2, nodes]: what PEs get, whether they drain
    air: flight.Flight


class Job(NamedTuple):
    """A descriptor."""

    beat: int                       # where it lies, in beats; its beats
    beats: int
    lines: np.ndarray               # int64 [setup lines, 3]: kind, dest, count
    setup_beat: int
    map_beat: int
    map_lines: int
    map_first: int                  # number of the first line's first pixel
    map_end: int                    # that after the map's last pixel
    from_memory: int
    first: int
    last: int
    keep: int
    out_rows: int
    row_events: int
    store_beat: int
    store_beats: int
    first_row: int
    last_row: int
    members: int
    fires: int


@inlined
def at_rest(reader):
    """Nothing moves in the reader and in its memory, and nothing will."""
    s = reader.state
    full = reader.settings[axi.RATE_BEATS] + reader.settings[axi.RATE_CYCLES] - 1
    return (s[axi.GIVEN] == s[axi.TAKEN] and not s[axi.FULL] and not s[axi.ACTIVE]
            and not s[axi.AR] and s[axi.TAGS] == 0 and s[axi.LEVEL] == 0 and not s[axi.R_VALID]
            and s[axi.RQ_IN] == s[axi.RQ_OUT] and s[axi.RATE] == full)


@borrowed
def run(engine, job, tables):
    """One descriptor, from its fetch to its end."""
    state, pc, own = engine.state, engine.pass_, engine.storage.own
    for field in range(PASS_FIELDS):
        pc[field] = 0
    while pc[AT] != OVER:
        now = state[NOW]
        switch(engine, job, tables, now)
        # What everybody sees at the start of the cycle.
        at, none = pc[AT], True
        for n in range(len(engine.owed)):
            none = none and engine.owed[n] == 0
        settle = at in (WAIT, FINISH)
        settled = none and own[storage.DONE] == 1
        for p in range(len(engine.storage.ports)):
            settled = settled and engine.storage.ports[p, storage.FULL] < 0
        starts = at == REPLAY and not pc[STARTED]
        done = storage.replayed(engine.storage, starts)
        gone = -1
        if pc[MODE] == STEP or own[storage.BUSY] or own[storage.OPEN]:
            gone = storage.spill_step(engine.storage, engine.writer, state[SIDE], state[KEEP],
                                      state[ROOM], settle, none, state[STORE_BEAT],
                                      state[STORE_BEATS], now)
        if pc[MODE] == STEP:
            mesh(engine, job, at, now, gone)
        elif pc[MODE] == STREAM:
            for n in range(len(engine.pes)):
                engine.causes[n, LOAD] += 1
                engine.heat[now // engine.width[0], n, LOAD] += 1
        engine.counts[SETUPS] += at == SETUP
        engine.counts[LEAPT] += pc[MODE] != STEP
        engine.counts[APART] += (settle and none) or (
            at == REPLAY and job.from_memory and pc[GONE] == 0 and not pc[LINE])

        fed = pc[ENDED] == 1
        for p in range(len(engine.storage.ports)):
            fed = fed and engine.storage.ports[p, storage.FEEDS] == 0
        line, leaves, gets = pc[GONE], line_leaves(engine, job, at), 0
        if leaves and at == REPLAY:
            end = job.map_end if job.from_memory else own[storage.SPILLS + 1 - state[SIDE]]
            first = job.map_first if job.from_memory else 0
            gets = min(own[storage.MOST], end - first - line * own[storage.MOST])
        came = read(engine, job, at, leaves, now)
        popped, ends_sent = ports(engine, job, tables, line if leaves and at == SETUP else -1, now)
        engine.counts[PIXELS] += popped
        storage.replay_step(engine.storage, starts, not job.from_memory, job.first_row,
                            job.last_row, state[READ_ROOM], pc[MAP_LINES], gets,
                            job.map_first if job.from_memory else 0, 1 - state[SIDE],
                            job.from_memory, popped)
        sequence(engine, job, came, fed, settled, done, ends_sent)
        state[NOW] += 1


@inlined
def switch(engine, job, tables, now):
    """How the cycle is run: while nothing drains, set-up streams in and multiply phases are
    leapt over."""
    pc, state, s = engine.pass_, engine.state, engine.storage
    if pc[MODE] == STREAM and pc[AT] != SETUP:
        pc[MODE] = STEP
    elif pc[MODE] == LEAP and storage.replayed(s, False):
        waits = engine.scratch[1]
        for n in range(len(engine.pes)):
            waits[n] = AWAIT if job.members >> n + 1 & 1 else REST
        engine.counts[EVENTS] += landing.land(engine, now, waits)
        pc[MODE] = STEP
    elif pc[MODE] == STEP and state[LEAPS]:
        if pc[AT] == SETUP and leap.quiet(engine):
            leap.clear(engine.net)
            pc[MODE] = STREAM
        elif (pc[AT] == REPLAY and pc[STARTED] and now >= state[CLEARING] and tables.step == 0
                and not storage.replayed(s, False) and leap.still(engine, state[DEPTH])):
            leap.take_off(engine, tables, now)
            pc[MODE] = LEAP


@inlined
def line_leaves(engine, job, at):
    """Whether the line that is there goes to the ports or the replay in this cycle."""
    pc, s = engine.pass_, engine.storage
    if not pc[LINE]:
        return False
    if at != SETUP:
        return storage.line_ready(s)
    dest, free = job.lines[pc[GONE], 1], True
    for p in range(len(s.ports)):
        if dest & s.ports[p, storage.SECTION]:
            flits = s.ports[p, storage.FEEDS]
            flows = flits == 1 and (pc[MODE] == STREAM or (
                network.space(engine.net, s.ports[p, storage.ROOT])
                and storage.generator_idle(s, p)))
            free = free and (flits == 0 or flows)
    return free


@inlined
def read(engine, job, at, leaves, now):
    """The reader's cycle: commands, and a beat of the descriptor or of a line. Returns: did a beat
    come?"""
    pc, own, reader = engine.pass_, engine.storage.own, engine.reader
    wants = (pc[FETCHED] < job.beats) if at == FETCH else (not pc[LINE] or leaves)
    if not pc[ASKED]:
        pc[ASKED] = 1
        if at == FETCH:
            axi.command(reader, now, job.beat, job.beats)
        elif at == SETUP:
            axi.command(reader, now, job.setup_beat, len(job.lines) * own[storage.SIZE])
        elif at == REPLAY and pc[MAP_LINES]:
            axi.command(reader, now, job.map_beat if job.from_memory else engine.state[SPILL_BEAT],
                        pc[MAP_LINES] * own[storage.SIZE])
        else:
            pc[ASKED] = 0
    came = False
    if not at_rest(reader):
        reader.state[axi.NOW] = now
        came = wants and reader.state[axi.LEVEL] > 0
        axi.step(reader, 1 if came else 0)
        engine.counts[READ_BEATS] += came
    if leaves:
        pc[LINE] = 0
        pc[GONE] += 1
    if came and at == FETCH:
        pc[FETCHED] += 1
    elif came:
        pc[BEATS] += 1
        if pc[BEATS] == own[storage.SIZE]:
            pc[LINE], pc[BEATS] = 1, 0
    return came


@inlined
def ports(engine, job, tables, line, now):
    """Pixels into generators, events and flits onto the network; `line`: of SETUP, goes to the
    feeder (−1: none). Returns: did a pixel leave the replay; have all ports sent END?"""
    pc, s = engine.pass_, engine.storage
    there, ends_sent = s.own[storage.Q_LEVEL] > 0, True
    head = s.own[storage.WORDS + s.own[storage.Q_HEAD]]
    popped = there
    for p in range(len(s.ports)):
        taken = True
        if pc[MODE] != LEAP:
            taken, sent = port(engine, job, tables, p, line, head if there else storage.EMPTY)
            ends_sent = ends_sent and sent
        elif there and s.ports[p, storage.MISSING]:
            taken = flight.ready(engine.air, p) <= now
            if taken:
                leap.take(engine, tables, p, head, now)
                s.ports[p, storage.MISSING] = 0
        popped = popped and taken
    if popped:
        for p in range(len(s.ports)):
            s.ports[p, storage.MISSING] = 1
    return popped, ends_sent


@inlined
def port(engine, job, tables, p, line, head):
    """One of them, register by register, `head` being the pixel that waits. Returns: has it that
    pixel, has it sent END?"""
    pc, net, s = engine.pass_, engine.net, engine.storage
    one = s.ports[p]
    streams, taken, sent = pc[MODE] == STREAM, True, True
    free = streams or network.space(net, one[storage.ROOT])
    one[storage.GETS] = storage.EMPTY
    if head >= 0 and one[storage.MISSING]:
        taken = storage.generator_ready(s, p, free)
        if taken:
            one[storage.GETS] = head
            one[storage.MISSING] = 0
    rest = storage.generator_idle(s, p)
    engine.counts[EVENTS] += storage.generator_step(s, p, one[storage.GETS], tables, net,
                                                    engine.sparse, free)
    if one[storage.FEEDS] and rest and free:
        dest = job.lines[one[storage.FEEDS_LINE], 1] & one[storage.SECTION]
        if streams:
            leap.count_copies(net, one[storage.ROOT], dest)
        else:
            network.push(net, one[storage.ROOT],
                         job.lines[one[storage.FEEDS_LINE], 0] | dest << network.DEST)
        one[storage.FEEDS] -= 1
    if line >= 0 and job.lines[line, 1] & one[storage.SECTION]:
        one[storage.FEEDS], one[storage.FEEDS_LINE] = job.lines[line, 2], line
    if pc[AT] == END and not one[storage.SENT]:
        sent = rest and free
        if sent:
            network.push(net, one[storage.ROOT],
                         pe.END | (job.members & one[storage.SECTION]) << network.DEST)
            one[storage.SENT] = 1
    return taken, sent


@inlined
def sequence(engine, job, came, fed, settled, done, ends_sent):
    """The shell and the sequencer, at the end of the cycle."""
    pc, s = engine.pass_, engine.storage
    at = pc[AT]
    if at == FETCH:
        if pc[FETCHED] == job.beats and not came:
            pc[AT] = CHECK
    elif at == CHECK:
        pc[AT], pc[ASKED] = BEGIN, 0
    elif at == BEGIN:
        pc[AT] = SETUP if len(job.lines) else READY
    elif at == SETUP:
        pc[ENDED] = pc[ENDED] or pc[GONE] == len(job.lines)
        if fed:
            pc[AT], pc[ASKED], pc[GONE] = READY, 0, 0
    elif at == READY:
        pc[AT] = WAIT if job.first else REPLAY
        pc[MAP_LINES] = job.map_lines if job.from_memory else engine.state[SPILL_LINES]
    elif at == WAIT:
        if settled:
            turn(engine, job)
            pc[AT] = CLEAR
            pc[MAP_LINES] = job.map_lines if job.from_memory else engine.state[SPILL_LINES]
    elif at == CLEAR:
        pc[CLEARED] += 1
        if pc[CLEARED] == job.out_rows:
            pc[AT] = REPLAY
    elif at == REPLAY:
        if pc[STARTED] and done:
            for n in range(len(engine.owed)):
                engine.owed[n] += job.fires >> n & 1
            pc[AT] = END
        for p in range(len(s.ports)):
            s.ports[p, storage.SENT] = job.members & s.ports[p, storage.SECTION] == 0
        pc[STARTED] = 1
    elif at == END:
        if ends_sent:
            pc[AT] = FINISH if job.last else TAKE
    elif at == FINISH:
        if settled:
            pc[AT] = TAKE
    else:
        pc[AT] = OVER


@borrowed
def mesh(engine, job, at, now, gone):
    """A cycle of both networks, the banks and the PEs; the spill took what port `gone` held."""
    state, net, back, pes, s = (engine.state, engine.net, engine.back, engine.pes,
                                engine.storage)
    port, arrived, draining = s.ports, engine.scratch[0], engine.scratch[1]
    side, keep, room = state[SIDE], state[KEEP], state[ROOM]
    network.begin(net, back)
    for n in range(len(pes)):
        draining[n] = pe.look(pes, engine.shares, n, now < state[CLEARING])
    engine.counts[SPILLED] += gone >= 0
    for p in range(len(port)):
        port[p, storage.TAKES] = storage.bank_ready(s, p, side, keep, room, gone)
        port[p, storage.CAME] = network.NONE
    network.step_results(back, port[:, storage.TAKES], port[:, storage.CAME])
    for p in range(len(port)):
        came = port[p, storage.CAME]
        if network.NONE < came < 0:
            engine.owed[-1 - came] -= 1
            came = storage.EMPTY
        engine.counts[FIRED] += came >= 0
        storage.bank_step(s, p, side, keep, room, gone, came)
    for n in range(len(pes) + 1):
        arrived[n] = -1
    network.step_events(net, pes, arrived)
    for n in range(len(pes)):
        if pes[n, pe.TAKES] == 1:
            cause = COMPUTE
        elif draining[n]:
            cause = DRAIN
        elif at == SETUP:
            cause = LOAD
        elif at in (REPLAY, END) and job.members >> n + 1 & 1:
            cause = AWAIT
        else:
            cause = REST
        engine.causes[n, cause] += 1
        engine.heat[now // engine.width[0], n, cause] += 1
        pe.step(pes, engine.shares, engine.fired, engine.sparse, back, n, arrived[n + 1], now,
                state[DEPTH])


@borrowed
def turn(engine, job):
    """A layer begins: the sides change places."""
    state, s = engine.state, engine.storage
    state[SPILL_LINES] = s.own[storage.LINES] if state[KEEP] else 0
    state[SPILL_BEAT] = state[STORE_BEAT]
    state[READ_ROOM] = state[ROOM]
    state[SIDE] = 1 - state[SIDE]
    state[KEEP], state[ROOM] = job.keep, job.row_events
    state[STORE_BEAT], state[STORE_BEATS] = job.store_beat, job.store_beats
    for p in range(s.counts.shape[1]):
        for row in range(s.counts.shape[2]):
            s.counts[state[SIDE], p, row] = 0
    s.own[storage.SPILLS + state[SIDE]] = 0
    for field in (storage.DONE, storage.OPEN, storage.GIVEN, storage.LINES, storage.ENDED):
        s.own[field] = 0
