"""The read DMA against the bench memory, cycle by cycle: when does each beat come?

Follows ``hw/common/axi/dma.py`` (`Reader`) and ``sim/common/axi_memory.v`` without stalls. Stepping
costs some 10 ns per cycle, so nothing cleverer is needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import njit

PAGE = 4096
COMMANDS = 16       # more than ever wait

# `Reader.state`
(NOW, FULL, CHECK_BEAT, CHECK_LEFT, ACTIVE, BEAT, LEFT, CREDIT, TAGS, AR, AR_LEN, LEVEL, MOVED,
 GIVEN, TAKEN, BURSTS, READS, AR_READY, R_VALID, R_LAST, R_BEAT, RATE, RQ_IN, RQ_OUT,
 FIELDS) = range(25)


class Reader(NamedTuple):
    """A reader and its memory. Create with `reader`."""

    state: np.ndarray       # int64 [FIELDS]
    due: np.ndarray         # int64 [bursts]: ring of bursts that the memory took
    length: np.ndarray      # int64 [bursts]
    commands: np.ndarray    # int64 [COMMANDS, 3]: ring of (valid from cycle, first beat, beats)
    settings: np.ndarray    # int64: below


# `Reader.settings`
LATENCY, OUTSTANDING, RATE_BEATS, RATE_CYCLES, MAX_BURST, TAG_DEPTH, PAGE_BEATS = range(7)


def reader(beat_bytes: int, *, latency: int = 64, outstanding: int = 8,
           bandwidth: tuple[int, int] = (1, 1), max_burst: int = 16, bursts: int = 8,
           buffer: int | None = None) -> Reader:
    """An idle reader at cycle 0. `bursts` are its own outstanding ones, `outstanding` the memory's.

    `bandwidth` is (beats, cycles). Raises ValueError on what the memory refuses.
    """
    beats, cycles = bandwidth
    if not 1 <= beats <= cycles:
        raise ValueError(f"bandwidth must be 1 beat per cycle or less, not {beats}/{cycles}")
    if latency < 1 or outstanding < 1:
        raise ValueError(f"latency and outstanding must be at least 1, not {latency}, "
                         f"{outstanding}")
    state = np.zeros(FIELDS, np.int64)
    state[CREDIT] = bursts * max_burst if buffer is None else buffer
    state[RATE] = beats + cycles - 1
    state[AR_READY] = 1
    settings = [latency, outstanding, beats, cycles, max_burst, bursts, PAGE // beat_bytes]
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


@njit
def wait_taken(reader, commands):
    """Steps until so many commands in all have been taken. Returns the cycle of the last one."""
    while reader.state[TAKEN] < commands:
        step(reader, 0)
    return reader.state[NOW] - 1
