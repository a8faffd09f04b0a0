"""Storing a layer's outputs, cycle by cycle: collector, line writer, write DMA, bench memory.

Follows ``hw/scnn/collector.py``, ``hw/common/axi/lines.py`` (`LineWriter`), ``dma.py`` there
(`Writer`) and ``sim/common/axi_memory.v`` without stalls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.axi import PAGE
from golden.jit import njit
from golden.scnn.emit import Encoded
from hw.scnn.config import SCNNConfig

RING = 64           # bursts that are anywhere at most
W_DEPTH = 512       # beats that the memory holds back for an address
ADVANCE = 15        # channels between two slots of a line at most
DONE, SCAN, TABLE, ROWS, HAND_OVER, NEXT_PE = range(6)
IDLE, COLLECT, END = range(3)


class WriteMemory(NamedTuple):
    """The write side of memory and DMA between two stores."""

    credit: np.ndarray      # int64 [2]: of the token bucket, in the cycle that follows
    settings: np.ndarray    # int64: latency, outstanding, beats, cycles, max_burst, bursts,
    #                         buffer, beats of a page


def write_memory(beat_bytes: int, *, latency: int = 64, outstanding: int = 8,
                 bandwidth: tuple[int, int] = (1, 1), max_burst: int = 16,
                 bursts: int = 8) -> WriteMemory:
    """An idle write side at cycle 0; see `golden.axi.reader`."""
    beats, cycles = bandwidth
    settings = [latency, outstanding, beats, cycles, max_burst, bursts, 2 * max_burst,
                PAGE // beat_bytes]
    return WriteMemory(np.array([beats + cycles - 1, 0], np.int64), np.array(settings, np.int64))


@njit
def _row_step(row, cell, counts, channels, bus, taken):
    """A cycle of one `RowCollector`. `cell`: state, column, at, filled, previous, left, pe_ends."""
    state, column, at, filled, previous, left, pe_ends = cell
    pes = counts.shape[1]
    if state == SCAN:
        if at == channels:
            pe_ends = 1
            state = HAND_OVER if filled else NEXT_PE
        elif counts[row, column, at]:
            state = TABLE
        else:
            at += 1
    elif state == TABLE:
        left = counts[row, column, at]
        state = ROWS
    elif state == ROWS:
        if filled and at - previous > ADVANCE:
            state = HAND_OVER
        else:
            previous = at
            left -= 1
            filled += 1
            if left == 0:
                at += 1
                state = SCAN
            if filled == bus:
                state = HAND_OVER
    elif state == HAND_OVER:
        if taken:
            filled = 0
            state = ROWS if left else (NEXT_PE if pe_ends else SCAN)
    elif state == NEXT_PE:
        pe_ends, at, column = 0, 0, column + 1
        state = SCAN if column < pes else DONE
    cell[:] = (state, column, at, filled, previous, left, pe_ends)


@njit
def _store(counts, channels, bus, line_beats, memory, start, first_beat):
    """Returns (cycle in which `store_done` is seen, lines, beats); see `store`."""
    latency, outstanding, rate_beats, rate_cycles, max_burst, bursts_max, buffer, page = \
        memory.settings
    rows = counts.shape[0]
    cells = np.zeros((rows, 7), np.int64)
    cap = rate_beats + rate_cycles - 1
    credit = min(cap, memory.credit[0] + rate_beats * (start - memory.credit[1]))
    collector, turn = IDLE, 0
    lw_busy, lw_index, lw_last, lines, beats = False, 0, False, 0, 0
    # the writer: command register, taking side, queues
    full, active, held, address = False, False, 0, first_beat
    level, bursts, tags, begun = 0, 0, 0, 0
    length, due = np.zeros(RING, np.int64), np.zeros(RING, np.int64)
    cut_count, issued, aws, ended, sent = 0, 0, 0, 0, 0       # bursts so far; beats of the current
    performed, answered, total = 0, 0, -1                     # bursts; `total` once it is known
    aw, aw_ready, w_ready, b_valid, writes = False, outstanding > 0, credit >= rate_cycles, False, 0
    asked, waiting = False, 0
    cycle = start
    while True:
        # combinational
        i_ready = active and level < buffer and bursts < bursts_max
        take = lw_busy and i_ready
        final = lw_index == line_beats - 1
        last = lw_last and final
        lw_ready = not lw_busy or (i_ready and final)
        offered = collector == END
        if collector == COLLECT:
            offered = cells[turn, 0] == HAND_OVER
        accepted = offered and lw_ready
        issue = bursts > 0 and tags < bursts_max and (not aw or aw_ready)
        w_take = begun > 0 and level > 0 and w_ready
        w_end = w_take and sent + 1 == length[ended % RING]
        leaving = not active or (take and last)
        if b_valid:
            answered += 1
            if answered == total:
                break
        # collector
        all_done = True
        for row in range(rows):
            all_done = all_done and cells[row, 0] == DONE
        turn_done = collector == COLLECT and cells[turn, 0] == DONE
        for row in range(rows):
            if cycle == start:
                cells[row, 0] = SCAN
            else:
                _row_step(row, cells[row], counts, channels, bus,
                          accepted and collector == COLLECT and row == turn)
        ends = collector == END
        if collector == IDLE and cycle == start:
            collector = COLLECT
        elif collector == COLLECT:
            if all_done:
                collector = END
            elif turn_done or accepted:
                turn = (turn + 1) % rows
        elif ends and accepted:
            collector = IDLE
        # line writer
        if take:
            lw_index = 0 if final else lw_index + 1
            beats += 1
            if final:
                lw_busy = False
        if accepted:
            lw_busy, lw_last = True, ends
            lines += 1
        # memory, with what it saw in this cycle
        aw_taken = aw and aw_ready
        if b_valid:
            writes -= 1
        if aw_taken:
            aws += 1
            writes += 1
        waiting += w_take
        if w_take:
            credit -= rate_cycles
        sent = 0 if w_end else sent + w_take
        ended += w_end
        while performed < min(aws, ended):
            waiting -= length[performed % RING]
            due[performed % RING] = cycle + latency
            performed += 1
        delivered = answered
        b_next = delivered < performed and due[delivered % RING] <= cycle + 1
        credit = min(cap, credit + rate_beats)
        # the writer's registers
        if not aw or aw_ready:
            aw = issue
        begun += issue - w_end
        tags += np.int64(issue) - np.int64(b_valid)
        bursts -= issue
        issued += issue
        if take:
            held += 1
            level += 1
            cut = last or held == max_burst or (address + held) % page == 0
            if cut:
                length[cut_count % RING] = held
                cut_count += 1
                address += held
                held = 0
                bursts += 1
            if last:
                total = cut_count
        level -= w_take
        if leaving:
            active = full
            full = False
        if not asked:
            full, asked = True, True
        aw_ready = writes < outstanding
        w_ready = waiting < W_DEPTH and credit >= rate_cycles
        b_valid = b_next
        cycle += 1
    memory.credit[0], memory.credit[1] = credit, cycle
    return cycle + 1, lines, beats


class Stored(NamedTuple):
    """A store: when the sequencer sees its end, and what was written."""

    done: int
    lines: int
    beats: int


def store(encoded: Encoded, channels: int, config: SCNNConfig, memory: WriteMemory, start: int,
          address: int) -> Stored:
    """Stores the output RAMs `encoded` at byte `address`; `store` is seen in cycle `start`."""
    counts = np.ascontiguousarray(encoded.count[:, :channels], np.int64).reshape(
        config.pe_rows, config.pe_cols, channels)
    beat = config.memory_bits // 8
    return Stored(*_store(counts, channels, config.weight_bus, config.line_beats, memory, start,
                          address // beat))
