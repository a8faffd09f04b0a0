"""Activations as the PEs hold them, and as ROW lines."""

from __future__ import annotations

import numpy as np

from golden.formats import run_length
from golden.jit import njit
from golden.scnn.geometry import Axis
from golden.scnn.program import ALL, NEVER, ROW, Encoded, LineTable
from hw.scnn.config import SCNNConfig


def encode(tensor: np.ndarray, rows: Axis, cols: Axis, split: bool,
           config: SCNNConfig) -> Encoded:
    """The input RAMs of all PEs for activations [C, H, W] (any integers), tiles as `rows`, `cols`.

    `split`: PE p gets whole planes of the channels (phases counted) g with g mod PEs = p, as g div
    PEs.
    """
    channel, y, x = np.nonzero(tensor)
    value = tensor[channel, y, x].astype(np.int64)
    height, phase_row, keep_row = _along(rows, y)
    width, phase_col, keep_col = _along(cols, x)
    channel = (channel * rows.span.phases + phase_row) * cols.span.phases + phase_col
    channels = tensor.shape[0] * rows.span.phases * cols.span.phases
    if split:
        pe, channel = channel % config.pes, channel // config.pes
        channels = -(-channels // config.pes)
        row = col = np.zeros_like(pe)
    else:
        row, col = _owner(rows, y), _owner(cols, x)
        pe = row * cols.pes + col
    position = ((height - np.array(rows.c)[row]) * cols.window + width - np.array(cols.c)[col])
    keep = keep_row & keep_col
    return _pack(pe[keep] * channels + channel[keep], position[keep], value[keep], channels, config)


def _along(axis: Axis, at: np.ndarray) -> tuple[np.ndarray, ...]:
    """Position and phase of each input cell, and whether a tap touches that phase."""
    padded, stride = at + axis.span.pad, axis.span.stride
    return padded // stride, padded % stride, padded % stride < axis.span.phases


def _owner(axis: Axis, at: np.ndarray) -> np.ndarray:
    """The PE that holds each input cell."""
    return np.searchsorted(np.array([last for _, last in axis.x]), at, side="right")


def _pack(block: np.ndarray, position: np.ndarray, value: np.ndarray, channels: int,
          config: SCNNConfig) -> Encoded:
    order = np.lexsort((position, block))
    elements = run_length.encode(block[order], position[order], value[order], config.index_bits)
    width = config.mults_i
    length = np.bincount(elements.block, minlength=config.pes * channels)
    count = -(-length // width)
    start = np.cumsum(count) - count
    at = (start[elements.block] + elements.index // width, elements.index % width)
    shape = int(count.sum()), width
    table = {name: np.full(shape, fill, np.int32)
             for name, fill in (("value", 0), ("run", 0), ("position", NEVER))}
    table["value"][at] = elements.value
    table["run"][at] = elements.run
    table["position"][at] = np.where(elements.value != 0, elements.position, NEVER)
    grid = config.pes, channels
    return Encoded(start.astype(np.int32).reshape(grid), count.astype(np.int32).reshape(grid),
                   **table)


def worst_rows(rows: Axis, cols: Axis, split: bool, planes: int, config: SCNNConfig) -> int:
    """Rows that a PE can need at most for `planes` input channels (phases not counted)."""
    if split:
        channels = -(-planes * rows.span.phases * cols.span.phases // config.pes)
        return channels * max(_tile_rows(h, w, cols.window, config)
                              for h in _phases(rows, *rows.x[0])
                              for w in _phases(cols, *cols.x[0]))
    best = 0
    for heights in {_phases(rows, a, b) for a, b in rows.x}:
        for widths in {_phases(cols, a, b) for a, b in cols.x}:
            best = max(best, sum(_tile_rows(h, w, cols.window, config)
                                 for h in heights for w in widths))
    return planes * best


def _phases(axis: Axis, first: int, last: int) -> tuple[tuple[int, int], ...]:
    """Per stored phase of a tile: its cells, and the first one's position in the tile."""
    stride, pad = axis.span.stride, axis.span.pad
    out = []
    for phase in range(axis.span.phases):
        cells = [x for x in range(first, last) if (x + pad) % stride == phase]
        start = (cells[0] + pad) // stride - (first + pad) // stride if cells else 0
        out.append((len(cells), start))
    return tuple(out)


def _tile_rows(height: tuple[int, int], width: tuple[int, int], pitch: int,
               config: SCNNConfig) -> int:
    (rows, down), (cells, across) = height, width
    if not rows or not cells:
        return 0
    lead = (down * pitch + across) >> config.index_bits
    worst = run_length.worst_elements(rows, cells, pitch, config.index_bits)
    return -(-(worst + lead) // config.mults_i)


@njit
def _place(pe, channel, bus):
    """Line and slot of each row: as many as fit, one PE, no channel advance beyond 15."""
    line = np.zeros(len(pe), np.int64)
    slot = np.zeros(len(pe), np.int64)
    at, filled = 0, 0
    for n in range(len(pe)):
        if n and (filled == bus or pe[n] != pe[n - 1] or channel[n] - channel[n - 1] > 15):
            at, filled = at + 1, 0
        line[n], slot[n] = at, filled
        filled += 1
    return line, slot


def _each_row(encoded: Encoded) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """PE, channel, first and last of block, of each row in order."""
    count = encoded.count.reshape(-1)
    block = np.repeat(np.arange(len(count)), count)
    at = np.arange(len(block)) - encoded.start.reshape(-1)[block]
    channels = encoded.count.shape[1]
    return block // channels, block % channels, at == 0, at == count[block] - 1


def row_lines(encoded: Encoded, config: SCNNConfig) -> LineTable:
    """The load section: the PEs' lines in turn, the last line with `end_section`."""
    pe, channel, first, last = _each_row(encoded)
    line, slot = _place(pe, channel, config.weight_bus)
    lines = int(line[-1]) + 1 if len(line) else 0
    target = np.zeros(lines, np.int64)
    target[line] = pe
    begins = np.searchsorted(target, np.arange(config.pes))      # lines of a PE are contiguous
    order = np.lexsort((target, np.arange(lines) - begins[target]))
    rank = np.empty(lines, np.int64)
    rank[order] = np.arange(lines)
    table = empty_lines(max(lines, 1), config)
    if not lines:
        table.end_section[-1] = True
        return table
    where = rank[line], slot
    table.target[rank] = target
    table.kind[where] = ROW
    table.first[where], table.last[where] = first, last
    table.channel[where] = channel
    for name in ("value", "run", "position"):
        getattr(table, name)[(*where, slice(0, config.mults_i))] = getattr(encoded, name)
    fill_channels(table)
    table.end_section[-1] = True
    return table


def empty_lines(count: int, config: SCNNConfig) -> LineTable:
    """Broadcast lines of EMPTY slots."""
    slots = count, config.weight_bus
    elements = *slots, config.slot_elements
    return LineTable(
        np.full(count, ALL, np.int32), np.zeros(count, bool), np.zeros(count, bool),
        np.zeros(slots, np.int8), np.zeros(slots, bool), np.zeros(slots, bool),
        np.zeros(slots, np.int32), np.zeros(elements, np.int32), np.zeros(elements, np.int32),
        np.full(elements, NEVER, np.int32), np.zeros((0, config.biases_per_slot), np.int64))


def fill_channels(table: LineTable) -> None:
    """EMPTY slots after others get the channel before them: no step."""
    for n in range(1, table.kind.shape[1]):
        idle = table.kind[:, n] == 0
        table.channel[idle, n] = table.channel[idle, n - 1]


def stored_lines(encoded: Encoded, config: SCNNConfig) -> int:
    """Lines that the collector writes for these output RAMs, the closing one included."""
    pe, channel, _, _ = _each_row(encoded)
    line, _ = _place(pe, channel, config.weight_bus)
    return (int(line[-1]) + 1 if len(line) else 0) + 1


def worst_stored_lines(rows: int, channels: int, config: SCNNConfig) -> int:
    """Lines that a store can need at most, `rows` per PE in `channels`."""
    each = min(rows, rows // config.weight_bus + channels // 16 + 1)
    return config.pes * each + 1
