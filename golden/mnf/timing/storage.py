"""The storage PE in time: banks, what spills, what is replayed, the event generators."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden import axi
from golden.jit import njit
from golden.mnf.timing import network
from hw.mnf import fields
from hw.mnf.config import MNFConfig

QUEUE = 4                   # of the replay
EMPTY = -1
# `Storage.spill`: pixels in the line; lines so far; is the last one written; is all in memory; the
# region was commanded; it is given to the writer; the port whose turn it is; in the line writer:
# busy, beats sent, is it the last line.
(COUNT, LINES, ENDED, DONE, OPEN, GIVEN, TURN, BUSY, BEAT, FINAL, SPILL_FIELDS) = range(11)
# `Storage.replay`: state; row; bank address; lines to come; pixels left of the line; the next pixel
# of the lines; queue's head and level; a word was read in the cycle before, and which.
(STATE, ROW, AT, TO_COME, IN_LINE, PIXEL, Q_HEAD, Q_LEVEL, CAME, CAME_PIXEL,
 REPLAY_FIELDS) = range(11)
IDLE, AT_ROW, AT_COUNT, READ, FROM_LINES = range(5)


class Storage(NamedTuple):
    """Create with `storage`. Pixels are numbers into `Maps`."""

    full: np.ndarray        # int64 [ports]: the pixel that a bank has taken, EMPTY: none
    counts: np.ndarray      # int64 [2 sides, ports, rows]
    held: np.ndarray        # int64 [2 sides, ports, events]
    spill: np.ndarray       # int64 [SPILL_FIELDS]
    spilled: np.ndarray     # int64 [2 sides, pixels]: those in memory, in order
    spills: np.ndarray      # int64 [2 sides]: how many
    replay: np.ndarray      # int64 [REPLAY_FIELDS]
    queue: np.ndarray       # int64 [QUEUE]
    left: np.ndarray        # int64 [ports]: words of the row that are to be read
    missing: np.ndarray     # bool [ports]: the fork's copies still to be taken
    stages: np.ndarray      # int64 [ports, 5]: pixels in SPLIT, TAPS, MATCH, CHOOSE, the output
    targets: np.ndarray     # int64 [ports, 3]: bits still to be chosen in MATCH; CHOOSE's; output's
    sizes: np.ndarray       # int64: pixels_per_line, beats of a line


class Maps(NamedTuple):
    """Every pixel that is ever replayed or fired."""

    channel: np.ndarray     # int64 [pixels]
    y: np.ndarray
    x: np.ndarray


def storage(config: MNFConfig, most_rows: int, most_events: int, most_spilled: int) -> Storage:
    """At rest; with room for maps of so many rows, events of a bank and spilled pixels."""
    ports = config.ports

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.int64)

    spill = zeros(SPILL_FIELDS)
    spill[DONE] = 1
    return Storage(np.full(ports, EMPTY, np.int64), zeros(2, ports, most_rows),
                   zeros(2, ports, most_events), spill, zeros(2, most_spilled), zeros(2),
                   zeros(REPLAY_FIELDS), zeros(QUEUE), zeros(ports), np.ones(ports, np.bool_),
                   np.full((ports, 5), EMPTY, np.int64), zeros(ports, 3),
                   np.array([fields.pixels_per_line(config),
                             fields.line_bits(config) // config.memory_bits], np.int64))


@njit
def fits(s, p, side, keep, room, maps):
    """Whether the pixel that a bank holds stays on chip."""
    return keep and s.counts[side, p, maps.y[s.full[p]]] < room


@njit
def spill_look(s, side, keep, room, maps, settle, none):
    """(the port whose pixel is taken or −1, does one wait?, is the line the last?) of a cycle."""
    spill, ports = s.spill, len(s.full)
    served = -1
    for k in range(ports):
        p = (spill[TURN] + k) % ports
        if s.full[p] >= 0 and not fits(s, p, side, keep, room, maps):
            served = p
            break
    idle = True
    for p in range(ports):
        idle = idle and s.full[p] < 0
    flush = settle and none and idle
    final = (flush and not spill[DONE] and served < 0 and not spill[ENDED]
             and (spill[COUNT] > 0 or (not keep and spill[LINES] == 0)))
    return served, flush, final


@njit
def spill_step(s, writer, side, keep, room, maps, settle, none, address, beats, now):
    """A cycle of `Spill`, the line writer and the DMA. Returns the port whose pixel went, or −1."""
    spill, most, size = s.spill, s.sizes[0], s.sizes[1]
    served, flush, final = spill_look(s, side, keep, room, maps, settle, none)
    if served < 0 and not flush and not spill[BUSY] and not spill[OPEN]:
        return -1               # nothing to write, nothing written
    writer.state[axi.NOW] = now
    full = spill[COUNT] == most
    opens = final or (full and served >= 0)
    last_beat = spill[BEAT] == size - 1
    written = writer.state[axi.W_DONE_VALID]
    if opens and not spill[OPEN] and not spill[GIVEN]:
        axi.region(writer, now, address, beats)
        spill[GIVEN] = 1
    taken_before = writer.state[axi.W_TAKEN]
    sent = axi.write_step(writer, spill[BUSY] == 1, spill[FINAL] == 1 and last_beat)
    taken = opens and spill[OPEN] and (not spill[BUSY] or (sent and last_beat))
    # `Spill.done`
    nothing = spill[COUNT] == 0 and keep and spill[LINES] == 0 and served < 0
    if (flush and nothing) or written:
        spill[DONE] = 1
    # the line writer
    if sent:
        spill[BEAT] = 0 if last_beat else spill[BEAT] + 1
        if last_beat:
            spill[BUSY] = 0
    gone = -1
    if taken:
        spill[BUSY], spill[BEAT], spill[FINAL] = 1, 0, final
        spill[COUNT], spill[ENDED] = 0, final
        spill[LINES] += 1
    elif served >= 0 and not full:
        spill[COUNT] += 1
        gone = served
    if served >= 0:
        spill[TURN] = served if full else (served + 1) % len(s.full)
    if writer.state[axi.W_TAKEN] > taken_before:
        spill[OPEN] = 1
    return gone


@njit
def bank_ready(s, p, side, keep, room, maps, gone):
    """Whether a bank takes a pixel in this cycle."""
    return s.full[p] < 0 or p == gone or fits(s, p, side, keep, room, maps)


@njit
def bank_step(s, p, side, keep, room, maps, gone, came):
    """The end of a bank's cycle: `came`, EMPTY for nothing."""
    one = s.full[p]
    if one >= 0:
        if p == gone:
            s.spilled[side, s.spills[side]] = one
            s.spills[side] += 1
            s.full[p] = EMPTY
        elif fits(s, p, side, keep, room, maps):
            row = maps.y[one]
            s.held[side, p, row * room + s.counts[side, p, row]] = one
            s.counts[side, p, row] += 1
            s.full[p] = EMPTY
    if came >= 0:
        s.full[p] = came


@njit
def line_ready(s):
    """Whether the replay takes a line in this cycle."""
    r = s.replay
    return r[STATE] == FROM_LINES and (
        r[IN_LINE] == 0 or (r[IN_LINE] == 1 and r[Q_LEVEL] < QUEUE))


@njit
def replayed(s, start):
    """`Replay.done`."""
    r = s.replay
    return (r[STATE] == IDLE and not start and r[Q_LEVEL] == 0 and r[IN_LINE] == 0
            and not r[CAME])


@njit
def replay_step(s, start, banks, first, last, room, lines, line_pixels, pixel, side, from_memory,
                popped):
    """A cycle of `Replay`: a line of `line_pixels` came (0: none), the queue's head went."""
    r = s.replay
    level, state, lined = r[Q_LEVEL], r[STATE], r[IN_LINE]
    if popped:
        r[Q_HEAD] = (r[Q_HEAD] + 1) % QUEUE
        r[Q_LEVEL] -= 1
    came, came_pixel = r[CAME], r[CAME_PIXEL]
    r[CAME] = 0
    if came:
        s.queue[(r[Q_HEAD] + r[Q_LEVEL]) % QUEUE] = came_pixel
        r[Q_LEVEL] += 1
    if lined and level < QUEUE:
        one = r[PIXEL] if from_memory else s.spilled[side, r[PIXEL]]
        s.queue[(r[Q_HEAD] + r[Q_LEVEL]) % QUEUE] = one
        r[Q_LEVEL] += 1
        r[IN_LINE] -= 1
        r[PIXEL] += 1
    if line_pixels:
        r[IN_LINE] = line_pixels
        r[TO_COME] -= 1
        if r[TO_COME] == 0:
            r[STATE] = IDLE
    if state == IDLE and start:
        r[ROW], r[TO_COME], r[PIXEL] = first, lines, pixel
        if banks and first <= last:
            r[STATE] = AT_ROW
        elif lines:
            r[STATE] = FROM_LINES
    elif state == AT_ROW:
        r[STATE] = AT_COUNT
    elif state == AT_COUNT:
        some = False
        for p in range(len(s.left)):
            s.left[p] = s.counts[side, p, r[ROW]]
            some = some or s.left[p] > 0
        r[AT] = 0
        if some:
            r[STATE] = READ
        else:
            _next_row(r, last)
    elif state == READ and level + came < QUEUE:
        _read(s, r, side, room, last)


@njit
def _read(s, r, side, room, last):
    """A word of the first bank that has one left."""
    own, others = -1, False
    for p in range(len(s.left)):
        if s.left[p] > 0:
            if own < 0:
                own = p
            else:
                others = True
    r[CAME], r[CAME_PIXEL] = 1, s.held[side, own, r[ROW] * room + r[AT]]
    if r[AT] + 1 == s.left[own]:
        s.left[own] = 0
        r[AT] = 0
        if not others:
            _next_row(r, last)
    else:
        r[AT] += 1


@njit
def _next_row(r, last):
    if r[ROW] != last:
        r[STATE] = AT_ROW
    elif r[TO_COME]:
        r[STATE] = FROM_LINES
    else:
        r[STATE] = IDLE
    r[ROW] += 1


@njit
def generator_idle(s, p):
    return (s.stages[p, 0] < 0 and s.stages[p, 1] < 0 and s.stages[p, 2] < 0
            and s.stages[p, 3] < 0 and s.stages[p, 4] < 0)


@njit
def generator_ready(s, p, port_ready):
    """Whether a generator takes a pixel in this cycle."""
    free = s.stages[p, 4] < 0 or port_ready
    free = s.stages[p, 3] < 0 or free
    bits = s.targets[p, 0]
    free = s.stages[p, 2] < 0 or (free and bits & bits - 1 == 0)
    return s.stages[p, 1] < 0 or free or s.stages[p, 0] < 0


@njit
def generator_step(s, p, pixel, tables, maps, net, port_ready):
    """A cycle of a port's generator, `pixel` comes (EMPTY: none). Returns whether an event left."""
    at, bits = s.stages[p], s.targets[p]
    left = at[4] >= 0 and port_ready
    if left:
        t = bits[2]
        tiles = tables.rows[t, maps.y[at[4]]] * tables.cols[maps.x[at[4]]]
        network.push(net, net.root[p],
                     tiles << network.TILES | tables.dest[p, t] << network.DEST)
        at[4] = EMPTY
    if at[4] < 0:
        at[4], bits[2], at[3] = at[3], bits[1], EMPTY
    if at[3] < 0 and at[2] >= 0:
        final = bits[0] & bits[0] - 1 == 0
        if bits[0]:
            t = 0
            while not bits[0] >> t & 1:
                t += 1
            at[3], bits[1] = at[2], t
            bits[0] &= bits[0] - 1
        if final:
            at[2] = EMPTY
    if at[2] < 0 and at[1] >= 0:
        at[2], bits[0] = at[1], hits(tables, p, maps, at[1])
        at[1] = EMPTY
    if at[1] < 0:
        at[1], at[0] = at[0], EMPTY
    if at[0] < 0 and pixel >= 0:
        at[0] = pixel
    return left


@njit
def hits(tables, p, maps, pixel):
    """The targets of a port that a pixel reaches, a bit each."""
    channel, out = maps.channel[pixel], 0
    if tables.cols[maps.x[pixel]]:
        for t in range(tables.dest.shape[1]):
            if (tables.dest[p, t] and tables.rows[t, maps.y[pixel]]
                    and tables.first[t] <= channel <= tables.last[t]):
                out |= 1 << t
    return out


class Tables(NamedTuple):
    """What a pixel makes in each target of a pass."""

    dest: np.ndarray        # int64 [ports, targets]: nodes in the port's section
    first: np.ndarray       # int64 [targets]: channels
    last: np.ndarray
    rows: np.ndarray        # int64 [targets, H]: tiles that a row reaches, 0: no event
    cols: np.ndarray        # int64 [W]
