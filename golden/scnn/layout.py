"""Bits of lines and descriptors: `LineTable` to bytes and back (layout: ``hw/scnn/layouts.py``)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np

from golden.formats import lines as line_format
from golden.scnn.program import BIAS, NEVER, ROW, WEIGHT, LineTable
from hw.scnn.config import SCNNConfig
from hw.scnn.descriptor import COMMON_FIELDS, TILE_FIELDS

HEADERS = 40        # bits before the slots' headers of 8 bits


@numba.njit(cache=True)
def _put(out, at, bits, value):                          # pragma: no cover (compiled)
    """value[n, i] into `bits` bits of out[n], from bit at[i] on (bits that are zero so far)."""
    for n in range(value.shape[0]):
        for i in range(value.shape[1]):
            word = np.uint64(value[n, i]) & ((np.uint64(1) << np.uint64(bits)) - np.uint64(1))
            byte, shift, left = at[i] >> 3, at[i] & 7, bits
            while left > 0:
                out[n, byte] |= np.uint8((word << np.uint64(shift)) & np.uint64(255))
                word >>= np.uint64(8 - shift)
                left -= 8 - shift
                byte, shift = byte + 1, 0


@numba.njit(cache=True)
def _get(data, at, bits, signed, value):                 # pragma: no cover (compiled)
    """The reverse of `_put`."""
    for n in range(value.shape[0]):
        for i in range(value.shape[1]):
            word, got = np.uint64(0), 0
            byte, shift = at[i] >> 3, at[i] & 7
            while got < bits:
                word |= (np.uint64(data[n, byte]) >> np.uint64(shift)) << np.uint64(got)
                got += 8 - shift
                byte, shift = byte + 1, 0
            word &= (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
            number = np.int64(word)
            if signed and (number >> (bits - 1)) & 1:
                number -= np.int64(1) << bits
            value[n, i] = number


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

    def put(places, bits, value):
        _put(out, places, bits, np.ascontiguousarray(value.reshape(count, -1), np.int64))

    put(_ZERO, 16, table.target)
    put(_CHANNEL, 16, table.channel[:, 0])
    put(_FLAGS, 8, table.end_group + 2 * table.end_section.astype(np.int64))
    step = np.diff(table.channel, axis=1, prepend=table.channel[:, :1])
    for name, bits, value in (("kind", 2, table.kind), ("first", 1, table.first),
                              ("last", 1, table.last), ("step", 4, step),
                              ("value", config.data_bits, table.value),
                              ("run", config.index_bits, table.run)):
        put(at[name], bits, value)
    bias = np.zeros((*table.kind.shape, config.biases_per_slot), np.int64)
    if len(table.bias):
        bias[table.kind == BIAS] = table.bias
        put(at["bias"], config.acc_bits, bias)
    return line_format.pack_lines(out, config.line_payload_bits, config.memory_bits)


def unpack(data: np.ndarray, config: SCNNConfig) -> LineTable:
    """Lines, uint8 [E, line bytes], as a table. Raises ValueError on a wrong CRC."""
    good = line_format.check_lines(data)
    if not good.all():
        raise ValueError(f"line {int(np.argmin(good))}: CRC must be that of the line")
    count, bus = len(data), config.weight_bus
    at = _bit_places(config)

    def get(places, bits, signed=False, shape=(bus,)):
        value = np.zeros((count, len(places)), np.int64)
        _get(data, places, bits, signed, value)
        return value.reshape(count, *shape)

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


def descriptor_bits(config: SCNNConfig) -> int:
    """Bits of a descriptor, CRC included."""
    common = sum(bits for _, bits in COMMON_FIELDS)
    tile = sum(bits for _, bits in TILE_FIELDS)
    return common + (config.pe_rows + config.pe_cols) * tile + 32


def descriptor_bytes(config: SCNNConfig) -> int:
    """Bytes from one descriptor to the next: whole beats."""
    return -(-descriptor_bits(config) // config.memory_bits) * config.memory_bits // 8


def _fields(config: SCNNConfig) -> Iterator[tuple[tuple[Any, ...], str, int, int]]:
    """(path, name, first bit, bits) of every field."""
    at = 0
    parts: list[tuple[tuple[Any, ...], list[tuple[str, int]]]] = [((), COMMON_FIELDS)]
    parts += [(("rows", n), TILE_FIELDS) for n in range(config.pe_rows)]
    parts += [(("cols", n), TILE_FIELDS) for n in range(config.pe_cols)]
    for path, fields in parts:
        for name, bits in fields:
            yield path, name, at, bits
            at += bits


def pack_descriptor(values: dict[str, Any], config: SCNNConfig) -> bytes:
    """A descriptor in memory. Raises ValueError naming a field that its value does not fit."""
    word = 0
    for path, name, at, bits in _fields(config):
        here = values[path[0]][path[1]] if path else values
        value = here.get(name, 0)
        if not 0 <= value < 1 << bits:
            raise ValueError(f"descriptor field {name} has {bits} bits, {value} must fit into it")
        word |= int(value) << at
    body = word.to_bytes(descriptor_bits(config) // 8 - 4, "little")
    whole = body + zlib.crc32(body).to_bytes(4, "little")
    return whole.ljust(descriptor_bytes(config), b"\0")


def unpack_descriptor(data: bytes, config: SCNNConfig) -> dict[str, Any]:
    """The fields of a descriptor. Raises ValueError on a wrong CRC."""
    size = descriptor_bits(config) // 8
    body, crc = data[:size - 4], data[size - 4:size]
    if zlib.crc32(body) != int.from_bytes(crc, "little"):
        raise ValueError("descriptor: CRC must be that of the descriptor")
    word = int.from_bytes(body, "little")
    out: dict[str, Any] = {"rows": [{} for _ in range(config.pe_rows)],
                           "cols": [{} for _ in range(config.pe_cols)]}
    for path, name, at, bits in _fields(config):
        here = out[path[0]][path[1]] if path else out
        here[name] = word >> at & (1 << bits) - 1
    return out
