"""The whole machine in time, a descriptor at a time (hw/mnf/README.md, *Memory image*).

Cycle 0 is the first one in which the machine is busy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden import axi
from golden.jit import njit
from golden.mnf.timing import network, pe, storage

# States of the shell and the sequencer, in the order of a descriptor.
(FETCH, CHECK, BEGIN, SETUP, READY, WAIT, CLEAR, REPLAY, END, FINISH, TAKE) = range(11)
COMPUTE, DRAIN, LOAD, AWAIT, REST, CAUSES = range(6)        # what a PE does in a cycle
EVENTS, PIXELS, FIRED, SPILLED, READ_BEATS, COUNTS = range(6)
# `Engine.state`: the next cycle; the side that is written, its `keep` and `row_events`; rows of
# events of the other side; lines that its layer spilled, and where.
(NOW, SIDE, KEEP, ROOM, READ_ROOM, SPILL_LINES, SPILL_BEAT, STORE_BEAT, STORE_BEATS,
 STATE_FIELDS) = range(10)


class Engine(NamedTuple):
    """Everything that lasts from descriptor to descriptor."""

    state: np.ndarray               # int64 [STATE_FIELDS]
    events: network.Events
    results: network.Results
    pes: pe.PEs
    shares: pe.Shares
    storage: storage.Storage
    maps: storage.Maps
    reader: axi.Reader
    writer: axi.Writer
    owed: np.ndarray                # int64 [nodes]: ends that are to come
    counts: np.ndarray  # type: ignore[assignment]  # int64 [COUNTS]
    causes: np.ndarray              # int64 [PEs, CAUSES]
    heat: np.ndarray                # int32 [bins, PEs, CAUSES]
    width: np.ndarray               # int64 [1]: cycles of a bin


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


@njit
def at_rest(reader):
    """Nothing moves in the reader and in its memory, and nothing will."""
    s = reader.state
    full = reader.settings[axi.RATE_BEATS] + reader.settings[axi.RATE_CYCLES] - 1
    return (s[axi.GIVEN] == s[axi.TAKEN] and not s[axi.FULL] and not s[axi.ACTIVE]
            and not s[axi.AR] and s[axi.TAGS] == 0 and s[axi.LEVEL] == 0 and not s[axi.R_VALID]
            and s[axi.RQ_IN] == s[axi.RQ_OUT] and s[axi.RATE] == full)


@njit
def run(engine, job, tables, sections):
    """One descriptor, from its fetch to its end. `sections` [ports]: the nodes of each."""
    state, net, back, pes, s = (engine.state, engine.events, engine.results, engine.pes,
                                engine.storage)
    reader, writer, maps = engine.reader, engine.writer, engine.maps
    ports, count = len(sections), len(pes.takes)
    size, most = s.sizes[1], s.sizes[0]
    now, at, fetched, asked, started = state[NOW], FETCH, 0, False, False
    line_full, line_index, lines_in, lines_out, ended = False, 0, 0, 0, False
    left = np.zeros(ports, np.int64)            # flits of the feeder
    line_of = np.zeros(ports, np.int64)
    sent = np.zeros(ports, np.bool_)
    draining = np.zeros(count, np.bool_)
    ready, came = np.zeros(ports, np.bool_), np.zeros(ports, np.int64)
    gets, arrived = np.zeros(ports, np.int64), np.zeros(count + 1, np.int64)
    clear_row = replay_lines = 0
    while True:
        # What everybody sees at the start of the cycle.
        net.before[:] = net.count
        back.before[:] = back.count
        for n in range(count):
            draining[n] = pe.look(pes, engine.shares, n, False)
        none = True
        for n in range(count + 1):
            none = none and engine.owed[n] == 0
        settle = at == WAIT or at == FINISH
        settled = none and s.spill[storage.DONE] == 1
        for p in range(ports):
            settled = settled and s.full[p] < 0
        starts = at == REPLAY and not started
        done = storage.replayed(s, starts)
        side, keep, room = state[SIDE], state[KEEP], state[ROOM]

        # What comes back.
        gone = storage.spill_step(s, writer, side, keep, room, maps, settle, none,
                                  state[STORE_BEAT], state[STORE_BEATS], now)
        engine.counts[SPILLED] += gone >= 0
        for p in range(ports):
            ready[p] = storage.bank_ready(s, p, side, keep, room, maps, gone)
        came[:] = network.NONE
        network.step_results(back, ready, came)
        for p in range(ports):
            if network.NONE < came[p] < 0:
                engine.owed[-1 - came[p]] -= 1
                came[p] = network.NONE
            engine.counts[FIRED] += came[p] >= 0
            storage.bank_step(s, p, side, keep, room, maps, gone, came[p])

        # The network and the PEs.
        arrived[:] = -1
        network.step_events(net, pes.ready, arrived)
        phase_member = at == REPLAY or at == END
        for n in range(count):
            if pes.takes[n] == 1:
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
            engine.heat[now // engine.width[0], n, cause] += 1
            pe.step(pes, engine.shares, back, n, arrived[n + 1], now)

        # Lines out of memory.
        setup = at == SETUP
        feeder_free = True
        line_out = False
        replay_gets = 0
        if line_full:
            if setup:
                dest = job.lines[lines_out, 1]
                for p in range(ports):
                    if dest & sections[p]:
                        flows = (left[p] == 1 and net.before[net.root[p]] < net.word.shape[1]
                                 and storage.generator_idle(s, p))
                        feeder_free = feeder_free and (left[p] == 0 or flows)
                line_out = feeder_free
            elif storage.line_ready(s):
                line_out = True
                first = job.map_first if job.from_memory else 0
                end = job.map_end if job.from_memory else s.spills[1 - side]
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
        fed = ended and not left.any()
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
        there = s.replay[storage.Q_LEVEL] > 0
        head = s.queue[s.replay[storage.Q_HEAD]]
        popped = there
        ends_sent = True
        for p in range(ports):
            free = net.before[net.root[p]] < net.word.shape[1]
            gets[p] = storage.EMPTY
            if there and s.missing[p]:
                if storage.generator_ready(s, p, free):
                    gets[p] = head
                    s.missing[p] = False
                else:
                    popped = False
            rest = storage.generator_idle(s, p)
            if storage.generator_step(s, p, gets[p], tables, maps, net, free):
                engine.counts[EVENTS] += 1
            if left[p] and rest and free:
                line = job.lines[line_of[p]]
                network.push(net, net.root[p],
                             line[0] | (line[1] & sections[p]) << network.DEST)
                left[p] -= 1
            if feeds and job.lines[line_now, 1] & sections[p]:
                left[p], line_of[p] = job.lines[line_now, 2], line_now
            if at == END and not sent[p]:
                if rest and free:
                    network.push(net, net.root[p],
                                 pe.END | (job.members & sections[p]) << network.DEST)
                    sent[p] = True
                else:
                    ends_sent = False
        if popped:
            s.missing[:] = True
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
                sent[p] = job.members & sections[p] == 0
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


@njit
def turn(engine, job):
    """A layer begins: the sides change places."""
    state, s = engine.state, engine.storage
    state[SPILL_LINES] = s.spill[storage.LINES] if state[KEEP] else 0
    state[SPILL_BEAT] = state[STORE_BEAT]
    state[READ_ROOM] = state[ROOM]
    state[SIDE] = 1 - state[SIDE]
    state[KEEP], state[ROOM] = job.keep, job.row_events
    state[STORE_BEAT], state[STORE_BEATS] = job.store_beat, job.store_beats
    s.counts[state[SIDE]] = 0
    s.spills[state[SIDE]] = 0
    for field in (storage.DONE, storage.OPEN, storage.GIVEN, storage.LINES, storage.ENDED):
        s.spill[field] = 0
