"""The storage PE in time: banks, what spills, what is replayed, the event generators."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden import axi
from golden.jit import borrowed
from golden.mnf.sections import members
from golden.mnf.timing import network
from golden.mnf.timing.inline import inlined
from hw.mnf import fields
from hw.mnf.config import MNFConfig

QUEUE = 4                   # of the replay
EMPTY = -1
# Columns of `Storage.ports`: the pixel that the bank has taken; words of the row that is read;
# is the fork's copy still to be taken; pixels in SPLIT, TAPS, MATCH, CHOOSE and the output of the
# generator; targets still to be chosen in MATCH, a bit each; CHOOSE's; the output's.
# Then of the machine: flits that the feeder has left, and of which line; END is sent; the bank
# takes a pixel; what came; the pixel that the generator gets; its first router, its section's
# nodes.
(FULL, COUNTED, MISSING, SPLIT, TAPS, MATCH, CHOOSE, OUTPUT, PENDING, CHOSEN, OUTPUT_TARGET, FEEDS,
 FEEDS_LINE, SENT, TAKES, CAME, GETS, ROOT, SECTION, PORT_COLUMNS) = range(20)
# `Storage.own`. Spill: pixels in the line; lines so far; is the last one written; is all in memory;
# the region was commanded; it is given to the writer; the port whose turn it is; in the line
# writer: busy, beats sent, is it the last line; pixels in memory of each side.
# Replay: state; row; place in the row, and the bank whose turn it is; lines to come; pixels left of
# the line; the next pixel of the lines; the queue's head and level; a word was read in the cycle
# before, and which; the queue. Then pixels of a line and its beats; the next event's number, with
# weight sparsity.
(COUNT, LINES, ENDED, DONE, OPEN, GIVEN, TURN, BUSY, BEAT, FINAL, SPILLS, _, STATE, ROW, AT, BANK,
 TO_COME, IN_LINE, PIXEL, Q_HEAD, Q_LEVEL, READ_BEFORE, READ_PIXEL, MOST, SIZE, SPARSE_EVENT,
 WORDS) = range(27)
IDLE, AT_ROW, AT_COUNT, READ, FROM_LINES = range(5)
CHANNEL, Y, X = range(3)    # of a pixel


class Storage(NamedTuple):
    """Create with `storage`. Pixels are numbers: rows of `maps`."""

    ports: np.ndarray       # int64 [ports, PORT_COLUMNS]
    own: np.ndarray         # int64 [WORDS + QUEUE]
    counts: np.ndarray      # int64 [2 sides, ports, rows]
    held: np.ndarray        # int64 [2 sides, ports, events]
    spilled: np.ndarray     # int64 [2 sides, pixels]: those in memory, in order
    maps: np.ndarray        # int64 [pixels, 3]: every pixel that is ever replayed or fired


class Tables(NamedTuple):
    """What a pixel makes in each target of a pass."""

    targets: np.ndarray     # int64 [targets, 2 + ports]: first, last channel; nodes by section
    rows: np.ndarray        # int64 [targets, H]: tiles that a row reaches, 0: no event
    cols: np.ndarray        # int64 [W]
    # With weight sparsity: of a share's tiles those of a channel (else 0), and what row and column
    # add to find the first one that an event reaches.
    step: int
    row_tile: np.ndarray    # int64 [targets, H]
    col_tile: np.ndarray    # int64 [W]


def storage(config: MNFConfig, maps: np.ndarray, rows: int, events: int) -> Storage:
    """At rest; with room for maps of so many rows and events of a bank."""
    count = config.ports
    ports, own = np.zeros((count, PORT_COLUMNS), np.int64), np.zeros(WORDS + QUEUE, np.int64)
    ports[:, [FULL, SPLIT, TAPS, MATCH, CHOOSE, OUTPUT]] = EMPTY
    ports[:, MISSING], own[DONE] = 1, 1
    ports[:, ROOT] = network.roots(config)
    ports[:, SECTION] = [members(config, port) for port in range(count)]
    own[MOST] = fields.pixels_per_line(config)
    own[SIZE] = fields.line_bits(config) // config.memory_bits
    return Storage(ports, own, np.zeros((2, count, rows), np.int64),
                   np.zeros((2, count, events), np.int64), np.zeros((2, len(maps)), np.int64), maps)


@borrowed
def fits(s, p, side, keep, room):
    """Whether the pixel that a bank holds stays on chip."""
    return keep and s.counts[side, p, s.maps[s.ports[p, FULL], Y]] < room


@borrowed
def spill_look(s, side, keep, room, settle, none):
    """(the port whose pixel is taken or −1, does one wait?, is the line the last?) of a cycle."""
    spill, ports = s.own, len(s.ports)
    served = -1
    for k in range(ports):
        p = (spill[TURN] + k) % ports
        if s.ports[p, FULL] >= 0 and not fits(s, p, side, keep, room):
            served = p
            break
    idle = True
    for p in range(ports):
        idle = idle and s.ports[p, FULL] < 0
    flush = settle and none and idle
    final = (flush and not spill[DONE] and served < 0 and not spill[ENDED]
             and (spill[COUNT] > 0 or (not keep and spill[LINES] == 0)))
    return served, flush, final


@borrowed
def spill_step(s, writer, side, keep, room, settle, none, address, beats, now):
    """A cycle of `Spill`, the line writer and the DMA. Returns the port whose pixel went, or −1."""
    spill, most, size = s.own, s.own[MOST], s.own[SIZE]
    served, flush, final = spill_look(s, side, keep, room, settle, none)
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
        spill[TURN] = served if full else (served + 1) % len(s.ports)
    if writer.state[axi.W_TAKEN] > taken_before:
        spill[OPEN] = 1
    return gone


@borrowed
def bank_ready(s, p, side, keep, room, gone):
    """Whether a bank takes a pixel in this cycle."""
    return s.ports[p, FULL] < 0 or p == gone or fits(s, p, side, keep, room)


@borrowed
def bank_step(s, p, side, keep, room, gone, came):
    """The end of a bank's cycle: `came`, EMPTY for nothing."""
    one = s.ports[p, FULL]
    if one >= 0:
        if p == gone:
            s.spilled[side, s.own[SPILLS + side]] = one
            s.own[SPILLS + side] += 1
            s.ports[p, FULL] = EMPTY
        elif fits(s, p, side, keep, room):
            row = s.maps[one, Y]
            s.held[side, p, row * room + s.counts[side, p, row]] = one
            s.counts[side, p, row] += 1
            s.ports[p, FULL] = EMPTY
    if came >= 0:
        s.ports[p, FULL] = came


@inlined
def line_ready(s):
    """Whether the replay takes a line in this cycle."""
    r = s.own
    return r[STATE] == FROM_LINES and (
        r[IN_LINE] == 0 or (r[IN_LINE] == 1 and r[Q_LEVEL] < QUEUE))


@inlined
def replayed(s, start):
    """`Replay.done`."""
    r = s.own
    return (r[STATE] == IDLE and not start and r[Q_LEVEL] == 0 and r[IN_LINE] == 0
            and not r[READ_BEFORE])


@inlined
def replay_step(s, start, banks, first, last, room, lines, line_pixels, pixel, side, from_memory,
                popped):
    """A cycle of `Replay`: a line of `line_pixels` came (0: none), the queue's head went."""
    r = s.own
    level, state, lined = r[Q_LEVEL], r[STATE], r[IN_LINE]
    if popped:
        r[Q_HEAD] = (r[Q_HEAD] + 1) % QUEUE
        r[Q_LEVEL] -= 1
    came, came_pixel = r[READ_BEFORE], r[READ_PIXEL]
    r[READ_BEFORE] = 0
    if came:
        r[WORDS + (r[Q_HEAD] + r[Q_LEVEL]) % QUEUE] = came_pixel
        r[Q_LEVEL] += 1
    if lined and level < QUEUE:
        one = r[PIXEL] if from_memory else s.spilled[side, r[PIXEL]]
        r[WORDS + (r[Q_HEAD] + r[Q_LEVEL]) % QUEUE] = one
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
        r[AT], r[BANK] = 0, EMPTY
        for p in range(len(s.ports) - 1, -1, -1):
            s.ports[p, COUNTED] = s.counts[side, p, r[ROW]]
            if s.ports[p, COUNTED]:
                r[BANK] = p
        if r[BANK] >= 0:
            r[STATE] = READ
        else:
            _next_row(r, last)
    elif state == READ and level + came < QUEUE:
        _read(s, r, side, room, last)


@borrowed
def _read(s, r, side, room, last):
    """A word of the bank whose turn it is; banks take turns as long as they have one left."""
    r[READ_BEFORE], r[READ_PIXEL] = 1, s.held[side, r[BANK], r[ROW] * room + r[AT]]
    for _ in range(len(s.ports)):
        r[BANK] += 1
        if r[BANK] == len(s.ports):
            r[BANK] = 0
            r[AT] += 1
        if s.ports[r[BANK], COUNTED] > r[AT]:
            return
    _next_row(r, last)


@borrowed
def _next_row(r, last):
    if r[ROW] != last:
        r[STATE] = AT_ROW
    elif r[TO_COME]:
        r[STATE] = FROM_LINES
    else:
        r[STATE] = IDLE
    r[ROW] += 1


@inlined
def generator_idle(s, p):
    return (s.ports[p, SPLIT] < 0 and s.ports[p, TAPS] < 0 and s.ports[p, MATCH] < 0
            and s.ports[p, CHOOSE] < 0 and s.ports[p, OUTPUT] < 0)


@inlined
def generator_ready(s, p, port_ready):
    """Whether a generator takes a pixel in this cycle."""
    free = s.ports[p, OUTPUT] < 0 or port_ready
    free = s.ports[p, CHOOSE] < 0 or free
    bits = s.ports[p, PENDING]
    free = s.ports[p, MATCH] < 0 or (free and bits & bits - 1 == 0)
    return s.ports[p, TAPS] < 0 or free or s.ports[p, SPLIT] < 0


@borrowed
def generator_step(s, p, pixel, tables, net, sparse, port_ready):
    """A cycle of a port's generator, `pixel` comes (EMPTY: none). Returns whether an event left."""
    at = s.ports[p]
    left = at[OUTPUT] >= 0 and port_ready
    if left:
        t = at[OUTPUT_TARGET]
        network.push(net, at[ROOT], cost(s, tables, sparse, at[OUTPUT], t) << network.TILES
                     | tables.targets[t, 2 + p] << network.DEST)
        at[OUTPUT] = EMPTY
    if at[OUTPUT] < 0:
        at[OUTPUT], at[OUTPUT_TARGET], at[CHOOSE] = at[CHOOSE], at[CHOSEN], EMPTY
    if at[CHOOSE] < 0 and at[MATCH] >= 0:
        final = at[PENDING] & at[PENDING] - 1 == 0
        if at[PENDING]:
            t = 0
            while not at[PENDING] >> t & 1:
                t += 1
            at[CHOOSE], at[CHOSEN] = at[MATCH], t
            at[PENDING] &= at[PENDING] - 1
        if final:
            at[MATCH] = EMPTY
    if at[MATCH] < 0 and at[TAPS] >= 0:
        at[MATCH], at[PENDING] = at[TAPS], hits(s, p, tables, at[TAPS])
        at[TAPS] = EMPTY
    if at[TAPS] < 0:
        at[TAPS], at[SPLIT] = at[SPLIT], EMPTY
    if at[SPLIT] < 0 and pixel >= 0:
        at[SPLIT] = pixel
    return left


@inlined
def cost(s, tables, sparse, pixel, t):
    """What an event says of its cost: the tiles that it reaches, or its number in `sparse`."""
    y, x = s.maps[pixel, Y], s.maps[pixel, X]
    if tables.step == 0:
        return tables.rows[t, y] * tables.cols[x]
    at = s.own[SPARSE_EVENT]
    one = sparse.events[at]
    one[0] = ((s.maps[pixel, CHANNEL] - tables.targets[t, 0]) * tables.step
              + tables.row_tile[t, y] + tables.col_tile[x])
    one[1], one[2] = tables.cols[x], tables.rows[t, y]
    s.own[SPARSE_EVENT] = (at + 1) % len(sparse.events)
    return at + 1


@inlined
def hits(s, p, tables, pixel):
    """The targets of a port that a pixel reaches, a bit each."""
    channel, y, out = s.maps[pixel, CHANNEL], s.maps[pixel, Y], 0
    if tables.cols[s.maps[pixel, X]]:
        for t in range(len(tables.targets)):
            own = tables.targets[t]
            if own[2 + p] and tables.rows[t, y] and own[0] <= channel <= own[1]:
                out |= 1 << t
    return out
