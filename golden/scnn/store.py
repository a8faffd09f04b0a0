"""Storing a layer's outputs, cycle by cycle: collector, line writer, write DMA, bench memory.

Follows ``hw/scnn/collector.py`` and ``hw/common/axi/lines.py`` (`LineWriter`); DMA and memory are
those of `golden.axi`, without stalls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden import axi
from golden.jit import njit
from golden.scnn.emit import Encoded
from hw.scnn.config import SCNNConfig

ADVANCE = 15        # channels between two slots of a line at most
DONE, SCAN, TABLE, ROWS, HAND_OVER, NEXT_PE = range(6)
IDLE, COLLECT, END = range(3)


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
def _store(counts, channels, bus, line_beats, writer):
    """Steps from `store` on until the region is done. Returns the lines."""
    rows = counts.shape[0]
    cells = np.zeros((rows, 7), np.int64)
    collector, turn, lines = IDLE, 0, 0
    busy, index, closing = False, 0, False      # the line writer: its line, beat, is it the last?
    starting = True
    while not writer.state[axi.W_DONE_VALID]:
        final = index == line_beats - 1
        taken = axi.write_step(writer, busy, closing and final)
        ready = not busy or (taken and final)
        offered = collector == END or (collector == COLLECT and cells[turn, 0] == HAND_OVER)
        accepted = offered and ready
        all_done = True
        for row in range(rows):
            all_done = all_done and cells[row, 0] == DONE
        turn_done = cells[turn, 0] == DONE
        for row in range(rows):
            if starting:
                cells[row, 0] = SCAN
            else:
                _row_step(row, cells[row], counts, channels, bus,
                          accepted and collector == COLLECT and row == turn)
        if taken:
            index = 0 if final else index + 1
            busy = busy and not final
        if accepted:
            busy, closing = True, collector == END
            lines += 1
        if starting:
            collector = COLLECT
        elif collector == COLLECT and all_done:
            collector = END
        elif collector == COLLECT and (turn_done or accepted):
            turn = (turn + 1) % rows
        elif collector == END and accepted:
            collector = IDLE
        starting = False
    return lines


class Stored(NamedTuple):
    """A store: when the sequencer sees its end, and what was written."""

    done: int
    lines: int
    beats: int


def store(encoded: Encoded, channels: int, config: SCNNConfig, writer: axi.Writer, start: int,
          address: int, capacity: int) -> Stored:
    """Stores the output RAMs `encoded` at byte `address`, a region of so many lines.

    `store` and the command are seen in cycle `start`, when `writer` (new, or with its token
    bucket as it is by then) is idle.
    """
    counts = np.ascontiguousarray(encoded.count[:, :channels], np.int64).reshape(
        config.pe_rows, config.pe_cols, channels)
    writer.state[axi.NOW] = start
    axi.region(writer, start, address * 8 // config.memory_bits, capacity * config.line_beats)
    lines = _store(counts, channels, config.weight_bus, config.line_beats, writer)
    return Stored(int(writer.state[axi.NOW]), lines, lines * config.line_beats)
