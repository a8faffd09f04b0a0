"""The whole machine in time, a descriptor at a time (hw/mnf/README.md, *Memory image*).

Cycle 0 is the first one in which the machine is busy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden import axi
from golden.jit import borrowed
from golden.mnf.timing import network, pe, storage

# States of the shell and the sequencer, in the order of a descriptor.
(FETCH, CHECK, BEGIN, SETUP, READY, WAIT, CLEAR, REPLAY, END, FINISH, TAKE) = range(11)
COMPUTE, DRAIN, LOAD, AWAIT, REST, CAUSES = range(6)        # what a PE does in a cycle
# `APART`: cycles that wait for the first line of a map, or after the last pixel for memory.
EVENTS, PIXELS, FIRED, SPILLED, READ_BEATS, SETUPS, APART, COUNTS = range(8)
# `Engine.state`: the next cycle; the side that is written, its `keep` and `row_events`; rows of
# events of the other side; lines that its layer spilled, and where; the written side's region;
# cycles of a bin of `heat`; cycles in which the sums are cleared, first of all; `vector_fifo`.
(NOW, SIDE, KEEP, ROOM, READ_ROOM, SPILL_LINES, SPILL_BEAT, STORE_BEAT, STORE_BEATS,
 WIDTH, CLEARING, DEPTH, STATE_FIELDS) = range(13)


class Engine(NamedTuple):
    """Everything that lasts from descriptor to descriptor."""

    state: np.ndarray               # int64 [STATE_FIELDS]
    net: np.ndarray                 # `network.networks`
    back: np.ndarray
    pes: np.ndarray                 # `pe.pes`
    shares: np.ndarray              # [passes, PEs, SHARE_COLUMNS]
    fired: np.ndarray               # [pixels, 2]
    storage: storage.Storage
    reader: axi.Reader
    writer: axi.Writer
    owed: np.ndarray                # int64 [nodes]: ends that are to come
    counts: np.ndarray  # type: ignore[assignment]  # int64 [COUNTS]
    causes: np.ndarray              # int64 [PEs, CAUSES]
    heat: np.ndarray                # int32 [bins, PEs, CAUSES]
    scratch: np.ndarray             # int64 [2, nodes]: what PEs get, whether they drain


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


@borrowed
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
    state, net, back, pes, s = (engine.state, engine.net, engine.back, engine.pes,
                                engine.storage)
    reader, writer, own, port = engine.reader, engine.writer, s.own, s.ports
    arrived, draining = engine.scratch[0], engine.scratch[1]
    ports, count = len(port), len(pes)
    size, most = own[storage.SIZE], own[storage.MOST]
    now, at, fetched, asked, started = state[NOW], FETCH, 0, False, False
    line_full, line_index, lines_in, lines_out, ended = False, 0, 0, 0, False
    clear_row = replay_lines = 0
    while True:
        # What everybody sees at the start of the cycle.
        network.begin(net, back)
        clearing = now < state[CLEARING]
        for n in range(count):
            draining[n] = pe.look(pes, engine.shares, n, clearing, state[DEPTH])
        none = True
        for n in range(count + 1):
            none = none and engine.owed[n] == 0
        settle = at in (WAIT, FINISH)
        settled = none and own[storage.DONE] == 1
        for p in range(ports):
            settled = settled and port[p, storage.FULL] < 0
        starts = at == REPLAY and not started
        done = storage.replayed(s, starts)
        side, keep, room = state[SIDE], state[KEEP], state[ROOM]

        # What comes back.
        gone = storage.spill_step(s, writer, side, keep, room, settle, none,
                                  state[STORE_BEAT], state[STORE_BEATS], now)
        engine.counts[SPILLED] += gone >= 0
        for p in range(ports):
            port[p, storage.TAKES] = storage.bank_ready(s, p, side, keep, room, gone)
            port[p, storage.CAME] = network.NONE
        network.step_results(back, port[:, storage.TAKES], port[:, storage.CAME])
        for p in range(ports):
            came = port[p, storage.CAME]
            if network.NONE < came < 0:
                engine.owed[-1 - came] -= 1
                came = storage.EMPTY
            engine.counts[FIRED] += came >= 0
            storage.bank_step(s, p, side, keep, room, gone, came)

        # The network and the PEs.
        for n in range(count + 1):
            arrived[n] = -1
        network.step_events(net, pes, arrived)
        phase_member = at in (REPLAY, END)
        for n in range(count):
            if pes[n, pe.TAKES] == 1:
                cause = COMPUTE
            elif draining[n]:
                cause = DRAIN
            elif at == SETUP:
                cause = LOAD
            elif phase_member and job.members >> n + 1 & 1:
                cause = AWAIT
            else:
                cause = REST
            engine.causes[n, cause] += 1
            engine.heat[now // state[WIDTH], n, cause] += 1
            pe.step(pes, engine.shares, engine.fired, back, n, arrived[n + 1], now,
                    state[DEPTH])

        # Lines out of memory.
        setup = at == SETUP
        engine.counts[SETUPS] += setup
        engine.counts[APART] += (settle and none) or (
            at == REPLAY and job.from_memory and lines_out == 0 and not line_full)
        feeder_free = True
        line_out = False
        replay_gets = 0
        if line_full:
            if setup:
                dest = job.lines[lines_out, 1]
                for p in range(ports):
                    if dest & port[p, storage.SECTION]:
                        flits = port[p, storage.FEEDS]
                        flows = (flits == 1 and network.space(net, port[p, storage.ROOT])
                                 and storage.generator_idle(s, p))
                        feeder_free = feeder_free and (flits == 0 or flows)
                line_out = feeder_free
            elif storage.line_ready(s):
                line_out = True
                first = job.map_first if job.from_memory else 0
                end = job.map_end if job.from_memory else own[storage.SPILLS + 1 - side]
                replay_gets = min(most, end - first - lines_out * most)
        takes_beat = at != FETCH and (not line_full or line_out)
        wants = takes_beat or (at == FETCH and fetched < job.beats)
        if at == FETCH and not asked:
            axi.command(reader, now, job.beat, job.beats)
            asked = True
        if setup and not asked:
            axi.command(reader, now, job.setup_beat, len(job.lines) * size)
            asked = True
        if at == REPLAY and replay_lines and not asked:
            axi.command(reader, now, job.map_beat if job.from_memory else state[SPILL_BEAT],
                        replay_lines * size)
            asked = True
        pop = False
        if not at_rest(reader):
            reader.state[axi.NOW] = now
            pop = wants and reader.state[axi.LEVEL] > 0
            axi.step(reader, 1 if pop else 0)
            engine.counts[READ_BEATS] += pop
        feeds = line_out and setup
        fed = ended
        for p in range(ports):
            fed = fed and port[p, storage.FEEDS] == 0
        line_now = lines_out
        if line_out:
            line_full = False
            lines_out += 1
        if pop and at == FETCH:
            fetched += 1
        elif pop:
            line_index += 1
            if line_index == size:
                line_full, line_index = True, 0
                lines_in += 1

        # The ports: pixels into generators, events and flits onto the network.
        there = own[storage.Q_LEVEL] > 0
        head = own[storage.WORDS + own[storage.Q_HEAD]]
        popped = there
        ends_sent = True
        for p in range(ports):
            free = network.space(net, port[p, storage.ROOT])
            port[p, storage.GETS] = storage.EMPTY
            if there and port[p, storage.MISSING]:
                if storage.generator_ready(s, p, free):
                    port[p, storage.GETS] = head
                    port[p, storage.MISSING] = 0
                else:
                    popped = False
            rest = storage.generator_idle(s, p)
            if storage.generator_step(s, p, port[p, storage.GETS], tables, net, free):
                engine.counts[EVENTS] += 1
            if port[p, storage.FEEDS] and rest and free:
                line = job.lines[port[p, storage.FEEDS_LINE]]
                network.push(net, port[p, storage.ROOT],
                             line[0] | (line[1] & port[p, storage.SECTION]) << network.DEST)
                port[p, storage.FEEDS] -= 1
            if feeds and job.lines[line_now, 1] & port[p, storage.SECTION]:
                port[p, storage.FEEDS] = job.lines[line_now, 2]
                port[p, storage.FEEDS_LINE] = line_now
            if at == END and not port[p, storage.SENT]:
                if rest and free:
                    network.push(net, port[p, storage.ROOT],
                                 pe.END | (job.members & port[p, storage.SECTION]) << network.DEST)
                    port[p, storage.SENT] = True
                else:
                    ends_sent = False
        if popped:
            for p in range(ports):
                port[p, storage.MISSING] = 1
            engine.counts[PIXELS] += 1
        storage.replay_step(s, starts, not job.from_memory, job.first_row, job.last_row,
                            state[READ_ROOM], replay_lines, replay_gets,
                            job.map_first if job.from_memory else 0, 1 - side, job.from_memory,
                            popped)

        # The shell and the sequencer.
        now += 1
        if at == FETCH:
            if fetched == job.beats and not pop:
                at = CHECK
        elif at == CHECK:
            at, asked = BEGIN, False
        elif at == BEGIN:
            at = SETUP if len(job.lines) else READY
        elif at == SETUP:
            if fed:
                at, asked = READY, False
                lines_in = lines_out = 0
            ended = ended or lines_out == len(job.lines)
        elif at == READY:
            at, started = (WAIT if job.first else REPLAY), False
            replay_lines = job.map_lines if job.from_memory else state[SPILL_LINES]
        elif at == WAIT:
            if settled:
                turn(engine, job)
                replay_lines = job.map_lines if job.from_memory else state[SPILL_LINES]
                at, clear_row = CLEAR, 0
        elif at == CLEAR:
            clear_row += 1
            if clear_row == job.out_rows:
                at = REPLAY
        elif at == REPLAY:
            if started and done:
                for n in range(count + 1):
                    engine.owed[n] += job.fires >> n & 1
                at = END
            for p in range(ports):
                port[p, storage.SENT] = job.members & port[p, storage.SECTION] == 0
            started = True
        elif at == END:
            if ends_sent:
                at = FINISH if job.last else TAKE
        elif at == FINISH:
            if settled:
                at = TAKE
        else:
            state[NOW] = now
            return


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
