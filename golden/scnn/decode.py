"""The second check of `compile`: from a memory image back to tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from golden.formats import run_length
from golden.scnn import layout
from golden.scnn.geometry import Axis
from golden.scnn.program import ALL, BIAS, ROW, WEIGHT, LayerPass, LineTable, Program
from hw.scnn.config import SCNNConfig


def descriptors(image: bytes, base: int, desc_addr: int, count: int,
                config: SCNNConfig) -> list[dict[str, Any]]:
    """The descriptor list of an image. Raises ValueError on a wrong CRC."""
    size, first = layout.descriptor_bytes(config), desc_addr - base
    return [layout.unpack_descriptor(image[first + n * size:first + (n + 1) * size], config)
            for n in range(count)]


def section(image: bytes, base: int, address: int, lines: int, config: SCNNConfig) -> LineTable:
    """`lines` lines from `address` on. Raises ValueError on a wrong CRC."""
    size, at = config.line_bits // 8, address - base
    data = np.frombuffer(image, np.uint8, lines * size, at).reshape(lines, size)
    return layout.unpack(data, config)


def stored_section(image: bytes, base: int, address: int, most: int,
                   config: SCNNConfig) -> LineTable:
    """The lines of a store region of `most` lines, up to the one that ends it."""
    size, at = config.line_bits // 8, address - base
    data = np.frombuffer(image, np.uint8, most * size, at).reshape(most, size)
    ends = np.flatnonzero(data[:, 4] & 2)
    if not len(ends):
        raise ValueError(f"store region at {address:#x}: a line must end the section, none does")
    return layout.unpack(data[:int(ends[0]) + 1], config)


def slots(table: LineTable, kind: int) -> tuple[np.ndarray, ...]:
    """(target, channel, first, last, value, run) of a section's slots of one kind, in order."""
    line, slot = np.nonzero(table.kind == kind)
    where = line, slot
    return (table.target[line], table.channel[where], table.first[where], table.last[where],
            table.value[where], table.run[where])


def blocks(table: LineTable, kind: int, lanes: int) -> tuple[np.ndarray, ...]:
    """(target, channel, group, position, value) of all non-zero values of a section.

    Blocks are judged by their slots: ValueError if one opens or closes wrongly.
    """
    target, channel, first, last, value, run = slots(table, kind)
    order = np.arange(len(target))
    if kind == ROW:                 # the PEs take turns: each has its own sequence
        order = np.argsort(target, kind="stable")
    target, channel, first, last = (a[order] for a in (target, channel, first, last))
    value, run = value[order, :lanes], run[order, :lanes]
    opens = np.ones(len(first), bool)
    opens[1:] = last[:-1]
    if not np.array_equal(opens, first) or (len(last) and not last[-1]):
        raise ValueError("a block must open with `first` after the `last` of the one before")
    number = np.cumsum(first) - 1
    same = ~first[1:]
    if (same & ((channel[1:] != channel[:-1]) | (target[1:] != target[:-1]))).any():
        raise ValueError("a block's slots must be of one channel and target")
    line = np.nonzero(table.kind == kind)[0][order]
    group = (np.cumsum(table.end_group) - table.end_group)[line]
    flat = np.repeat(number, lanes)
    block, position, data = run_length.decode(flat, value.reshape(-1), run.reshape(-1))
    start = np.flatnonzero(first)[block]
    return target[start], channel[start], group[start], position, data


def weights(table: LineTable, one: LayerPass, config: SCNNConfig) -> np.ndarray:
    """The pass's weights as computed with: int64 [k, C/groups, R, S], k its output channels."""
    rows, cols = one.rows.span, one.cols.span
    count = one.outputs[0].stop - one.outputs[0].start
    target, channel, group, position, value = blocks(table, WEIGHT, config.mults_f)
    if one.split:
        channel = channel * config.pes + target
    elif (target != ALL).any():
        raise ValueError("weights must be broadcast")
    tap, k = np.divmod(position, one.kc)
    rr, ss = np.divmod(tap, cols.kernel)
    plane, phase = np.divmod(channel, rows.phases * cols.phases)
    r = (rows.kernel - 1 - rr) * rows.stride + phase // cols.phases
    s = (cols.kernel - 1 - ss) * cols.stride + phase % cols.phases
    k = group * one.kc + k
    depth = one.depth
    outputs = one.layer.k // one.layer.groups
    c = plane - (one.outputs[0].start + k) // outputs * depth
    if min(c.min(initial=0), 0) < 0 or c.max(initial=0) >= depth:
        raise ValueError("a weight must be of a channel of its output's group")
    out = np.zeros((count, depth, rows.taps, cols.taps), np.int64)
    out[k, c, r, s] = value
    return out


def biases(table: LineTable, one: LayerPass, config: SCNNConfig) -> np.ndarray:
    """The pass's biases: int64 [k]."""
    count = one.outputs[0].stop - one.outputs[0].start
    rows = int(np.count_nonzero(table.kind == BIAS)) // one.groups
    return table.bias.reshape(one.groups, rows * config.biases_per_slot)[:, :one.kc].reshape(
        -1)[:count]


def loaded(table: LineTable, one: LayerPass, config: SCNNConfig) -> np.ndarray:
    """The activations that a load section puts into the PEs: int64 [C, H, W] of the tile."""
    rows, cols = one.rows, one.cols
    pe, channel, _, position, value = blocks(table, ROW, config.mults_i)
    row, col = np.divmod(pe, cols.pes)
    if one.split:
        channel = channel * config.pes + pe
    plane, phase = np.divmod(channel, rows.span.phases * cols.span.phases)
    y, x = np.divmod(position, cols.window)
    out = np.zeros((one.planes, rows.span.inputs, cols.span.inputs), np.int64)
    out[plane, _cell(rows, row, y, phase // cols.span.phases),
        _cell(cols, col, x, phase % cols.span.phases)] = value
    return out


def _cell(axis: Axis, pe: np.ndarray, position: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Input cell of a position in a PE's tile."""
    cell = (np.array(axis.c)[pe] + position) * axis.span.stride + phase - axis.span.pad
    if (cell < 0).any() or (cell >= axis.span.inputs).any():
        raise ValueError("an activation must lie inside the plane")
    return cell


def stored(image: bytes, base: int, one: LayerPass, config: SCNNConfig) -> np.ndarray:
    """What a pass stored: int64 [k, h, w], as `one.outputs` places it."""
    d = one.descriptor
    table = stored_section(image, base, d["store_addr"], d["store_lines"], config)
    pe, channel, _, position, value = blocks(table, ROW, config.mults_i)
    row, col = np.divmod(pe, config.pe_cols)
    y, x = np.divmod(position, d["next_pitch"])
    shape = tuple(part.stop - part.start for part in one.outputs)
    out = np.zeros(shape, np.int64)
    out[channel, np.array(one.rows.q)[row] + y, np.array(one.cols.q)[col] + x] = value
    return out


def outputs(images: Sequence[bytes], program: Program, index: int = -1) -> list[np.ndarray]:
    """Stored outputs of layer `index`, per image of the input, in the layer's own shape.

    `images`: the memory after each segment ran. Raises ValueError if the layer stores nothing.
    """
    config = program.config
    index %= len(program.layers)
    planes: dict[int, np.ndarray] = {}
    for data, segment in zip(images, program.segments, strict=True):
        for one in segment.passes:
            if one.index == index and one.stores:
                whole = planes.setdefault(one.image, np.zeros(one.plane, np.int64))
                whole[one.outputs] = stored(data, segment.base, one, config)
    if not planes:
        raise ValueError(f"{program.layers[index].name}: outputs must be stored, they stay on chip")
    return [_shaped(planes[n], program.layers[index]) for n in sorted(planes)]


def _shaped(plane: np.ndarray, layer: Any) -> np.ndarray:
    if layer.batch == 1:
        return plane.reshape(layer.outputs_shape)
    return np.ascontiguousarray(plane.reshape(layer.k, layer.batch).T).reshape(layer.outputs_shape)
