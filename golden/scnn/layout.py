"""Bits of lines and descriptors: `LineTable` to bytes and back (layout: ``hw/scnn/layouts.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from golden.formats import bits as fields
from golden.formats import lines as line_format
from golden.scnn.program import BIAS, NEVER, ROW, WEIGHT, LineTable
from hw.scnn.config import SCNNConfig
from hw.scnn.descriptor import COMMON_FIELDS, TILE_FIELDS

HEADERS = 40        # bits before the slots' headers of 8 bits


def _bit_places(config: SCNNConfig) -> dict[str, np.ndarray]:
    """First bits of a line's repeated fields, flat over slots and elements."""
    bus, count = config.weight_bus, config.slot_elements
    header = HEADERS + 8 * np.arange(bus)
    slot = HEADERS + 8 * bus + config.slot_bits * np.arange(bus)
    element = np.add.outer(slot, config.element_bits * np.arange(count)).reshape(-1)
    bias = np.add.outer(slot, config.acc_bits * np.arange(config.biases_per_slot))
    return {"kind": header, "first": header + 2, "last": header + 3, "step": header + 4,
            "value": element, "run": element + config.data_bits, "bias": bias.reshape(-1)}


_ZERO, _CHANNEL, _FLAGS = (np.array([bit]) for bit in (0, 16, 32))


def pack(table: LineTable, config: SCNNConfig) -> np.ndarray:
    """Lines in memory, uint8 [E, line bytes]."""
    count = table.lines
    at = _bit_places(config)
    size = -(-config.line_payload_bits // 8)
    out = np.zeros((count, size), np.uint8)

    fields.put(out, _ZERO, 16, table.target)
    fields.put(out, _CHANNEL, 16, table.channel[:, 0])
    fields.put(out, _FLAGS, 8, table.end_group + 2 * table.end_section.astype(np.int64))
    step = np.diff(table.channel, axis=1, prepend=table.channel[:, :1])
    for name, bits, value in (("kind", 2, table.kind), ("first", 1, table.first),
                              ("last", 1, table.last), ("step", 4, step),
                              ("value", config.data_bits, table.value),
                              ("run", config.index_bits, table.run)):
        fields.put(out, at[name], bits, value)
    bias = np.zeros((*table.kind.shape, config.biases_per_slot), np.int64)
    if len(table.bias):
        bias[table.kind == BIAS] = table.bias
        fields.put(out, at["bias"], config.acc_bits, bias)
    return line_format.pack_lines(out, config.line_payload_bits, config.memory_bits)


def unpack(data: np.ndarray, config: SCNNConfig) -> LineTable:
    """Lines, uint8 [E, line bytes], as a table. Raises ValueError on a wrong CRC."""
    good = line_format.check_lines(data)
    if not good.all():
        raise ValueError(f"line {int(np.argmin(good))}: CRC must be that of the line")
    count, bus = len(data), config.weight_bus
    at = _bit_places(config)

    def get(places, bits, signed=False, shape=(bus,)):
        return fields.get(data, places, bits, signed).reshape(count, *shape)

    elements = bus, config.slot_elements
    kind = get(at["kind"], 2).astype(np.int8)
    flags = get(_FLAGS, 8, shape=())
    channel = get(_CHANNEL, 16, shape=(1,)) + np.cumsum(get(at["step"], 4), axis=1)
    coded = ((kind == WEIGHT) | (kind == ROW))[:, :, None]
    value = np.where(coded, get(at["value"], config.data_bits, True, elements), 0)
    run = np.where(coded, get(at["run"], config.index_bits, shape=elements), 0)
    bias = get(at["bias"], config.acc_bits, True, (bus, config.biases_per_slot))
    return LineTable(
        get(_ZERO, 16, shape=()).astype(np.int32), flags & 1 == 1, flags & 2 == 2, kind,
        get(at["first"], 1) == 1, get(at["last"], 1) == 1, channel.astype(np.int32),
        value.astype(np.int32), run.astype(np.int32), np.full(value.shape, NEVER, np.int32),
        bias[kind == BIAS])


def descriptor_bytes(config: SCNNConfig) -> int:
    """Bytes from one descriptor to the next: whole beats."""
    return fields.record_bytes((bits for *_, bits in _places(config)), config.memory_bits)


def _places(config: SCNNConfig) -> Iterator[tuple[str, int, str, int]]:
    """(side, tile, name, bits) of every field; of the common ones the side is empty."""
    for name, bits in COMMON_FIELDS:
        yield "", 0, name, bits
    for side, count in (("rows", config.pe_rows), ("cols", config.pe_cols)):
        for n in range(count):
            for name, bits in TILE_FIELDS:
                yield side, n, name, bits


def pack_descriptor(values: dict[str, Any], config: SCNNConfig) -> bytes:
    """A descriptor in memory. Raises ValueError naming a field that its value does not fit."""
    return fields.pack_record(
        ((name, bits, (values[side][n] if side else values).get(name, 0))
         for side, n, name, bits in _places(config)), config.memory_bits)


def unpack_descriptor(data: bytes, config: SCNNConfig) -> dict[str, Any]:
    """The fields of a descriptor. Raises ValueError on a wrong CRC."""
    places = list(_places(config))
    out: dict[str, Any] = {"rows": [{} for _ in range(config.pe_rows)],
                           "cols": [{} for _ in range(config.pe_cols)]}
    given = fields.unpack_record([bits for *_, bits in places], data)
    for (side, n, name, _), value in zip(places, given, strict=True):
        (out[side][n] if side else out)[name] = value
    return out
