"""What lies in memory: flit lines, pixel lines, descriptors (`hw/mnf/fields.py`), many at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden.formats.bits import get, pack_record, put, record_bytes, unpack_record
from golden.formats.lines import pack_lines
from golden.mnf.events import Pixels
from hw.mnf import fields
from hw.mnf.config import MNFConfig
from hw.mnf.fields import COUNT_BITS, KIND_BITS, Group, Kind

CHUNK = 1 << 15         # words of weights at a time: their bits take a byte each


def flatten(group: Any, values: Any, name: str = "") -> Iterator[tuple[str, int, int]]:
    """(name, bits, value) of every field of a group; what has no value is 0."""
    if isinstance(group, dict):
        for key, one in group.items():
            yield from flatten(one, (values or {}).get(key, 0), f"{name}.{key}" if name else key)
    elif isinstance(group, tuple):
        for n in range(group[0]):
            given = values[n] if values and n < len(values) else 0
            yield from flatten(group[1], given, f"{name}[{n}]")
    else:
        yield name, abs(group), _encoded(name, group, int(values))


def _encoded(name: str, width: int, value: int) -> int:
    low, high = (-(1 << -width - 1), (1 << -width - 1) - 1) if width < 0 else (0, (1 << width) - 1)
    if not low <= value <= high:
        raise ValueError(f"{name} must be {low} to {high}, not {value}")
    return value & (1 << abs(width)) - 1


def pack(group: Group, values: Mapping[str, Any]) -> int:
    """The values of a group as one number. ValueError naming a field that its value does not fit.
    """
    word, at = 0, 0
    for _, bits, value in flatten(group, values):
        word |= value << at
        at += bits
    return word


def unpack(group: Any, word: int) -> Any:
    """The values of a group: dicts, lists and ints."""
    if isinstance(group, dict):
        out: dict[str, Any] = {}
        for key, one in group.items():
            out[key] = unpack(one, word)
            word >>= fields.width(one)
        return out
    if isinstance(group, tuple):
        size = fields.width(group[1])
        return [unpack(group[1], word >> n * size) for n in range(group[0])]
    value = word & (1 << abs(group)) - 1
    return value - (1 << -group) if group < 0 and value >> -group - 1 else value


@dataclass(frozen=True, eq=False)
class Block:
    """Flits of one kind to the same PEs; `payloads` as numbers, or words of weights [N, lanes],
    each of which is three flits."""

    kind: Kind
    dest: int                       # a bit per node
    payloads: list[int] | np.ndarray

    @property
    def flits(self) -> int:
        return len(self.payloads) * (3 if isinstance(self.payloads, np.ndarray) else 1)

    def counts(self, config: MNFConfig) -> np.ndarray:
        """Flits in each of its lines: all lines but the last are full."""
        most = fields.flits_per_line(config)
        lines = -(-self.flits // most)
        out = np.full(lines, most, np.int64)
        out[-1:] = self.flits - most * (lines - 1)
        return out

    def lines(self, config: MNFConfig) -> np.ndarray:
        """uint8 [lines, line bytes]."""
        if not isinstance(self.payloads, np.ndarray):
            return _flit_lines(config, self, _number_bits(self.payloads, config))
        # Whole lines at a time: 3 · most flits are `most` words, and 3 lines.
        step = CHUNK // fields.flits_per_line(config) * fields.flits_per_line(config)
        return np.concatenate([
            _flit_lines(config, self, _word_bits(self.payloads[at:at + step], config))
            for at in range(0, len(self.payloads), step)])


def _number_bits(payloads: list[int], config: MNFConfig) -> np.ndarray:
    size = fields.payload_bits(config)
    data = b"".join(n.to_bytes(-(-size // 8), "little") for n in payloads)
    rows = np.frombuffer(data, np.uint8).reshape(len(payloads), -1)
    return np.unpackbits(rows, axis=1, bitorder="little")[:, :size]


def _word_bits(words: np.ndarray, config: MNFConfig) -> np.ndarray:
    """The bits of three flits for each word."""
    size, count = fields.payload_bits(config), len(words)
    out = np.zeros((count, 3 * size), np.uint8)
    each = config.data_bits + config.weight_offset_bits
    bits = words[:, :, None] >> np.arange(each, dtype=words.dtype) & 1
    out[:, :config.word_bits] = bits.reshape(count, -1)
    return out.reshape(-1, size)


def _flit_lines(config: MNFConfig, block: Block, bits: np.ndarray) -> np.ndarray:
    """Lines of flits whose payloads' bits are [flits, payload_bits]."""
    most, size = fields.flits_per_line(config), fields.payload_bits(config)
    count = -(-len(bits) // most)
    head = KIND_BITS + config.nodes + COUNT_BITS
    content = np.zeros((count, head + most * size), np.uint8)
    body = np.zeros((count * most, size), np.uint8)
    body[:len(bits)] = bits
    content[:, head:] = body.reshape(count, -1)
    last = len(bits) - most * (count - 1)
    for rows, flits in ((slice(None), most), (slice(-1, None), last)):
        word = block.kind | block.dest << KIND_BITS | flits << KIND_BITS + config.nodes
        content[rows, :head] = [word >> n & 1 for n in range(head)]
    whole = np.packbits(content, axis=1, bitorder="little")
    return pack_lines(whole, 8 * fields.line_bits(config) // 8 - 32, config.memory_bits)


def _pixel_fields(config: MNFConfig) -> Iterator[tuple[str, np.ndarray, int, bool]]:
    """(name, where it lies in a line for every pixel, bits, signed?)."""
    group, at = fields.pixel_fields(config), 1 + COUNT_BITS
    for name, bits in group.items():
        yield (name, at + fields.width(group) * np.arange(fields.pixels_per_line(config)),
               abs(bits), bits < 0)
        at += abs(bits)


def pixel_lines(config: MNFConfig, pixels: Pixels, end: bool = False) -> np.ndarray:
    """A map in order, uint8 [lines, line bytes]; `end` in the last line, of which there is one."""
    most = fields.pixels_per_line(config)
    count = max(-(-len(pixels) // most), int(end))
    content = np.zeros((count, fields.line_bits(config) // 8 - 4), np.uint8)
    if not count:
        return pack_lines(content, fields.line_bits(config) - 32, config.memory_bits)
    for name, at, bits, _ in _pixel_fields(config):
        values = np.zeros(count * most, np.int64)
        values[:len(pixels)] = getattr(pixels, name)
        put(content, at, bits, values)
    counts = np.full((count, 1), most, np.int64)
    counts[-1] = len(pixels) - most * (count - 1)
    put(content, np.array([1]), COUNT_BITS, counts)
    content[-1, 0] |= end
    return pack_lines(content, fields.line_bits(config) - 32, config.memory_bits)


def read_pixels(config: MNFConfig, lines: np.ndarray) -> tuple[Pixels, np.ndarray]:
    """The pixels of lines (uint8 [N, line bytes]) in order, and which lines are an end."""
    counts = get(lines, np.array([1]), COUNT_BITS)
    used = np.arange(fields.pixels_per_line(config)) < counts
    parts = {name: get(lines, at, bits, signed)[used]
             for name, at, bits, signed in _pixel_fields(config)}
    return Pixels(**parts), (lines[:, 0] & 1).astype(bool)


def descriptor_bytes(config: MNFConfig) -> int:
    """Of a descriptor in memory."""
    return record_bytes([fields.width(fields.descriptor_fields(config))], config.memory_bits)


def pack_descriptor(config: MNFConfig, values: Mapping[str, Any]) -> bytes:
    return pack_record(flatten(fields.descriptor_fields(config), values), config.memory_bits)


def unpack_descriptor(config: MNFConfig, data: bytes) -> dict[str, Any]:
    """Raises ValueError on a wrong CRC."""
    group = fields.descriptor_fields(config)
    (word,) = unpack_record([fields.width(group)], data)
    out: dict[str, Any] = unpack(group, word)
    return out
