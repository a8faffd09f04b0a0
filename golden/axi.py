"""The DMA against the bench memory, cycle by cycle: when does each beat move?

Follows ``hw/common/axi/dma.py`` and ``sim/common/axi_memory.v`` without stalls and
errors, exactly. Stepping costs some 10 ns per cycle, so nothing cleverer is needed. All functions
marked ``njit`` can be called from other such functions.

A cycle is that of ``hw/CYCLES.md``. ``NOW`` is the cycle that the next step takes; both sides start
idle in cycle 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import njit
from golden.program import PAGE, Memory

COMMANDS = 16       # more than ever wait

# `Reader.state`
(NOW, FULL, CHECK_BEAT, CHECK_LEFT, ACTIVE, BEAT, LEFT, CREDIT, TAGS, AR, AR_LEN, LEVEL, MOVED,
 GIVEN, TAKEN, BURSTS, READS, AR_READY, R_VALID, R_LAST, R_BEAT, RATE, RQ_IN, RQ_OUT,
 FIELDS) = range(25)


class Reader(NamedTuple):
    """A `Reader` and the memory's read side. Create with `reader`."""

    state: np.ndarray       # int64 [FIELDS]
    due: np.ndarray         # int64 [bursts]: ring of bursts that the memory took
    length: np.ndarray      # int64 [bursts]
    commands: np.ndarray    # int64 [COMMANDS, 3]: ring of (valid from cycle, first beat, beats)
    settings: np.ndarray    # int64: below


# `settings` of both
LATENCY, OUTSTANDING, RATE_BEATS, RATE_CYCLES, MAX_BURST, TAG_DEPTH, PAGE_BEATS, BUFFER = range(8)


def reader(beat_bytes: int, *, latency: int = 64, outstanding: int = 8,
           bandwidth: tuple[int, int] = (1, 1), max_burst: int = 16, bursts: int = 8,
           buffer: int | None = None) -> Reader:
    """An idle reader at cycle 0. `bursts` are its own outstanding ones, `outstanding` the memory's.

    `bandwidth` is (beats, cycles). Raises ValueError on what the memory refuses.
    """
    beats, cycles = Memory(latency, outstanding, bandwidth).bandwidth
    state = np.zeros(FIELDS, np.int64)
    state[CREDIT] = bursts * max_burst if buffer is None else buffer
    state[RATE] = beats + cycles - 1
    state[AR_READY] = 1
    settings = [latency, outstanding, beats, cycles, max_burst, bursts, PAGE // beat_bytes,
                state[CREDIT]]
    ring = max(bursts, outstanding) + 2
    return Reader(state, np.zeros(ring, np.int64), np.zeros(ring, np.int64),
                  np.zeros((COMMANDS, 3), np.int64), np.array(settings, np.int64))


@njit
def command(reader, cycle, first_beat, beats):
    """A command is valid from `cycle` on, after those before it; `first_beat` is address / beat."""
    entry = reader.commands[reader.state[GIVEN] % COMMANDS]
    entry[0], entry[1], entry[2] = cycle, first_beat, beats
    reader.state[GIVEN] += 1


@njit
def step(reader, pop):
    """One cycle; `pop`: a beat leaves the buffer in it. Returns: was a command taken?"""
    s, settings = reader.state, reader.settings
    ring = len(reader.due)
    # the reader, from the registers' values
    burst = min(s[LEFT], settings[PAGE_BEATS] - s[BEAT] % settings[PAGE_BEATS],
                settings[MAX_BURST])
    ar_taken = s[AR] and s[AR_READY]
    free = not s[AR] or ar_taken
    issue = s[ACTIVE] and s[CREDIT] >= burst and s[TAGS] < settings[TAG_DEPTH] and free
    leaving = not s[ACTIVE] or (issue and s[LEFT] == burst)
    take = False
    if (not s[FULL] or leaving) and s[TAKEN] < s[GIVEN]:
        take = reader.commands[s[TAKEN] % COMMANDS, 0] <= s[NOW]
    # the memory at the edge that ends this cycle
    if s[R_VALID] and s[R_LAST]:
        s[READS] -= 1
        s[TAGS] -= 1
    s[LEVEL] += s[R_VALID] - pop
    s[MOVED] += s[R_VALID]
    if ar_taken:
        reader.due[s[RQ_IN] % ring] = s[NOW] + settings[LATENCY]
        reader.length[s[RQ_IN] % ring] = s[AR_LEN]
        s[RQ_IN] += 1
        s[READS] += 1
    at = s[RQ_OUT] % ring
    s[R_VALID] = (s[RQ_OUT] < s[RQ_IN] and reader.due[at] <= s[NOW] + 1
                  and s[RATE] >= settings[RATE_CYCLES])
    if s[R_VALID]:
        s[RATE] -= settings[RATE_CYCLES]
        s[R_BEAT] += 1
        s[R_LAST] = s[R_BEAT] == reader.length[at]
        if s[R_LAST]:
            s[R_BEAT] = 0
            s[RQ_OUT] += 1
    s[RATE] = min(s[RATE] + settings[RATE_BEATS], settings[RATE_BEATS] + settings[RATE_CYCLES] - 1)
    s[AR_READY] = s[READS] < settings[OUTSTANDING]
    # the reader's registers
    s[CREDIT] += pop
    if free:
        s[AR] = issue
    if issue:
        s[AR_LEN] = burst
        s[BEAT] += burst
        s[LEFT] -= burst
        s[CREDIT] -= burst
        s[TAGS] += 1
        s[BURSTS] += 1
    if leaving:
        s[ACTIVE] = s[FULL] and s[CHECK_LEFT] > 0
        if s[FULL]:
            s[BEAT], s[LEFT] = s[CHECK_BEAT], s[CHECK_LEFT]
        s[FULL] = 0
    if take:
        entry = reader.commands[s[TAKEN] % COMMANDS]
        s[FULL], s[CHECK_BEAT], s[CHECK_LEFT] = 1, entry[1], entry[2]
        s[TAKEN] += 1
    s[NOW] += 1
    return take


@njit
def next_beat(reader, earliest):
    """Takes the next beat out of the buffer, not before `earliest`. Returns the cycle.

    The command that it belongs to must have been given.
    """
    s = reader.state
    while s[NOW] < earliest or s[LEVEL] == 0:
        step(reader, 0)
    step(reader, 1)
    return s[NOW] - 1


@njit
def next_line(reader, beats, free):
    """Gathers a line of `beats`, the line register being free from `free` on.

    Returns the cycle in which the line is first offered.
    """
    taken = free
    for _ in range(beats):
        taken = next_beat(reader, taken) + 1
    return taken


W_DEPTH = 512       # beats that the memory holds back for an address

# `Writer.state`, after NOW. The counts BURSTS_*, BEATS_* only grow.
(W_FULL, W_CHECK_BEAT, W_CHECK_LEFT, W_ACTIVE, W_BEAT, W_LEFT, W_HELD, W_LEVEL, W_QUEUED, W_TAGS,
 W_BEGUN, W_AW, W_SENT, W_GIVEN, W_TAKEN, W_ACCEPTED, BURSTS_CUT, BURSTS_ISSUED, BURSTS_AW,
 BURSTS_SENT, BURSTS_PERFORMED, BURSTS_ANSWERED, BEATS_AW, BEATS_W, W_AW_READY, W_READY, W_B_VALID,
 W_RATE, W_DONE_VALID, W_FIELDS) = range(1, 31)


class Writer(NamedTuple):
    """A `Writer` and the memory's write side. Create with `writer`.

    ``state[W_DONE_VALID]`` is ``done.valid`` in cycle NOW.
    """

    state: np.ndarray       # int64 [W_FIELDS]
    due: np.ndarray         # int64 [bursts]: ring, by the burst's number
    length: np.ndarray      # int64 [bursts]
    final: np.ndarray       # int64 [bursts]: is it its region's last?
    commands: np.ndarray    # int64 [COMMANDS, 3]: ring of (valid from cycle, first beat, beats)
    settings: np.ndarray    # int64, as a reader's


def writer(beat_bytes: int, *, latency: int = 64, outstanding: int = 8,
           bandwidth: tuple[int, int] = (1, 1), max_burst: int = 16, bursts: int = 8,
           buffer: int | None = None) -> Writer:
    """An idle writer at cycle 0; parameters and errors as for `reader`."""
    beats, cycles = Memory(latency, outstanding, bandwidth).bandwidth
    state = np.zeros(W_FIELDS, np.int64)
    state[W_RATE] = beats + cycles - 1
    state[W_AW_READY] = state[W_READY] = 1
    settings = [latency, outstanding, beats, cycles, max_burst, bursts, PAGE // beat_bytes,
                2 * max_burst if buffer is None else buffer]
    ring = 2 * bursts + 4
    return Writer(state, np.zeros(ring, np.int64), np.zeros(ring, np.int64),
                  np.zeros(ring, np.int64), np.zeros((COMMANDS, 3), np.int64),
                  np.array(settings, np.int64))


@njit
def region(writer, cycle, first_beat, beats):
    """A region is commanded from `cycle` on, after those before it; see `command`."""
    entry = writer.commands[writer.state[W_GIVEN] % COMMANDS]
    entry[0], entry[1], entry[2] = cycle, first_beat, beats
    writer.state[W_GIVEN] += 1


@njit
def _write_memory(writer, aw_taken, aw_length, w_taken):
    """The memory's write side at the edge that ends a cycle."""
    s, settings, ring = writer.state, writer.settings, len(writer.due)
    if s[W_B_VALID]:
        s[BURSTS_ANSWERED] += 1
    if aw_taken:
        s[BURSTS_AW] += 1
        s[BEATS_AW] += aw_length
    if w_taken:
        s[BEATS_W] += 1
        s[W_RATE] -= settings[RATE_CYCLES]
    while s[BURSTS_PERFORMED] < min(s[BURSTS_AW], s[BURSTS_SENT]):
        writer.due[s[BURSTS_PERFORMED] % ring] = s[NOW] + settings[LATENCY]
        s[BURSTS_PERFORMED] += 1
    s[W_B_VALID] = (s[BURSTS_ANSWERED] < s[BURSTS_PERFORMED]
                    and writer.due[s[BURSTS_ANSWERED] % ring] <= s[NOW] + 1)
    s[W_RATE] = min(s[W_RATE] + settings[RATE_BEATS],
                    settings[RATE_BEATS] + settings[RATE_CYCLES] - 1)
    s[W_AW_READY] = s[BURSTS_AW] - s[BURSTS_ANSWERED] < settings[OUTSTANDING]
    s[W_READY] = s[BEATS_W] - s[BEATS_AW] < W_DEPTH and s[W_RATE] >= settings[RATE_CYCLES]


@njit
def _take_beat(writer, last):
    """The registers of the writer's input side for a beat that is taken."""
    s, settings, ring = writer.state, writer.settings, len(writer.due)
    s[W_HELD] += 1
    s[W_LEFT] -= 1
    s[W_LEVEL] += 1
    s[W_ACCEPTED] += 1
    page_end = (s[W_BEAT] + s[W_HELD]) % settings[PAGE_BEATS] == 0
    if last or s[W_LEFT] == 0 or s[W_HELD] == settings[MAX_BURST] or page_end:
        writer.length[s[BURSTS_CUT] % ring] = s[W_HELD]
        writer.final[s[BURSTS_CUT] % ring] = last
        s[BURSTS_CUT] += 1
        s[W_QUEUED] += 1
        s[W_BEAT] += s[W_HELD]
        s[W_HELD] = 0


@njit
def write_ready(writer):
    """``data.ready`` in cycle NOW."""
    s, settings = writer.state, writer.settings
    return (s[W_ACTIVE] and s[W_LEFT] > 0 and s[W_LEVEL] < settings[BUFFER]
            and s[W_QUEUED] < settings[TAG_DEPTH])


@njit
def write_step(writer, valid, last):
    """One cycle; `valid`: a beat is offered in it, `last`: it ends its region. Returns: taken?"""
    s, settings, ring = writer.state, writer.settings, len(writer.due)
    taken = valid and write_ready(writer)
    aw_taken = s[W_AW] and s[W_AW_READY]
    free = not s[W_AW] or aw_taken
    issue = s[W_QUEUED] > 0 and s[W_TAGS] < settings[TAG_DEPTH] and free
    w_taken = s[W_BEGUN] > 0 and s[W_LEVEL] > 0 and s[W_READY]
    w_end = w_taken and s[W_SENT] + 1 == writer.length[s[BURSTS_SENT] % ring]
    answer = s[W_B_VALID]
    leaving = not s[W_ACTIVE] or (taken and last)
    accept = False
    if (not s[W_FULL] or leaving) and s[W_TAKEN] < s[W_GIVEN]:
        accept = writer.commands[s[W_TAKEN] % COMMANDS, 0] <= s[NOW]
    s[W_DONE_VALID] = answer and writer.final[s[BURSTS_ANSWERED] % ring]
    if w_taken:
        s[W_LEVEL] -= 1
        s[W_SENT] = 0 if w_end else s[W_SENT] + 1
        s[BURSTS_SENT] += w_end
    _write_memory(writer, aw_taken, writer.length[s[BURSTS_AW] % ring], w_taken)
    if free:
        s[W_AW] = issue
    if issue:
        s[BURSTS_ISSUED] += 1
        s[W_QUEUED] -= 1
        s[W_TAGS] += 1
        s[W_BEGUN] += 1
    s[W_BEGUN] -= w_end
    s[W_TAGS] -= answer
    if taken:
        _take_beat(writer, last)
    if leaving:
        s[W_ACTIVE] = s[W_FULL]
        if s[W_FULL]:
            s[W_BEAT], s[W_LEFT], s[W_HELD] = s[W_CHECK_BEAT], s[W_CHECK_LEFT], 0
        s[W_FULL] = 0
    if accept:
        entry = writer.commands[s[W_TAKEN] % COMMANDS]
        s[W_FULL], s[W_CHECK_BEAT], s[W_CHECK_LEFT] = 1, entry[1], entry[2]
        s[W_TAKEN] += 1
    s[NOW] += 1
    return taken
