"""Lines of the memory image as arrays: what the cycle model needs of them, values aside.

The format is that of ``hw/scnn/README.md``, "Formats". Nothing is judged here: what a good
program never holds gives numbers without meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from golden.scnn.compute import NEVER, ROW, WEIGHT, Lines
from golden.scnn.emit import Encoded
from hw.scnn.config import SCNNConfig
from hw.scnn.descriptor import COMMON_FIELDS, TILE_FIELDS

HEADER = 40         # bits before the slot headers
CHUNK = 1 << 14     # lines unpacked at once


class Raw(NamedTuple):
    """Fields of lines; E lines, W slots, N elements of a slot."""

    target: np.ndarray          # int32 [E]
    end_group: np.ndarray       # bool [E]
    end_section: np.ndarray     # bool [E]
    kind: np.ndarray            # int8 [E, W]
    first: np.ndarray           # bool [E, W]
    last: np.ndarray            # bool [E, W]
    channel: np.ndarray         # int32 [E, W]
    nonzero: np.ndarray         # bool [E, W, N]
    run: np.ndarray             # uint8 [E, W, N]


def _number(bits: np.ndarray) -> np.ndarray:
    """Bits, least significant first on the last axis, as int32."""
    return bits @ (1 << np.arange(bits.shape[-1], dtype=np.int32))


def _parse(lines: np.ndarray, config: SCNNConfig) -> Raw:
    count, bus, elements = len(lines), config.weight_bus, config.slot_elements
    bits = np.unpackbits(lines, axis=1, bitorder="little")
    headers = bits[:, HEADER:HEADER + 8 * bus].reshape(count, bus, 8)
    body = bits[:, HEADER + 8 * bus:HEADER + bus * (8 + config.slot_bits)]
    body = body.reshape(count, bus, elements, config.element_bits)
    return Raw(
        target=_number(bits[:, :16]),
        end_group=bits[:, 32].astype(bool),
        end_section=bits[:, 33].astype(bool),
        kind=_number(headers[:, :, :2]).astype(np.int8),
        first=headers[:, :, 2].astype(bool),
        last=headers[:, :, 3].astype(bool),
        channel=_number(bits[:, 16:32])[:, None] + np.cumsum(
            _number(headers[:, :, 4:]), axis=1, dtype=np.int32),
        nonzero=np.any(body[..., :config.data_bits], axis=3),
        run=_number(body[..., config.data_bits:]).astype(np.uint8))


def parse(image: np.ndarray, address: int, count: int, config: SCNNConfig) -> Raw:
    """`count` lines at byte `address` of `image` (uint8)."""
    size = config.line_bits // 8
    lines = np.asarray(image[address:address + count * size], np.uint8).reshape(count, size)
    parts = [_parse(lines[n:n + CHUNK], config) for n in range(0, max(count, 1), CHUNK)]
    return Raw(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def _positions(run: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Position of every element of slots in order ``[slots, N]``; `starts`: a block begins."""
    inside = np.cumsum(run.astype(np.int64) + 1, axis=1)
    total = np.cumsum(inside[:, -1])
    before = total - inside[:, -1]
    block = np.cumsum(starts) - 1
    return before[:, None] - before[starts][block][:, None] + inside - 1


def weights(raw: Raw, descriptor: Mapping[str, Any], config: SCNNConfig) -> Lines:
    """Lines of a weight section with the offsets that the decoder makes of the runs."""
    count = config.mults_f
    is_weight = raw.kind == WEIGHT
    offset = np.full((*raw.kind.shape, count), NEVER, np.int32)
    if is_weight.any():
        position = _positions(raw.run[is_weight][:, :count], raw.first[is_weight])
        position += position // descriptor["kernel_row"] * descriptor["kernel_gap"]
        offset[is_weight] = np.where(raw.nonzero[is_weight][:, :count], position, NEVER)
    return Lines(raw.target, raw.end_group, raw.kind, raw.first, raw.last, raw.channel, offset)


def load_lines(raw: Raw, config: SCNNConfig) -> Lines:
    """Lines of a load section."""
    offset = np.full((*raw.kind.shape, config.mults_f), NEVER, np.int32)
    return Lines(raw.target, raw.end_group, raw.kind, raw.first, raw.last, raw.channel, offset)


def rows(raw: Raw, config: SCNNConfig) -> Encoded:
    """What a load section leaves in the input RAMs."""
    is_row = raw.kind == ROW
    start = np.zeros((config.pes, config.max_channels), np.int32)
    held = np.zeros_like(start)
    count = config.mults_i
    if not is_row.any():
        return Encoded(start, held, np.zeros((0, count), np.int32))
    pe = np.broadcast_to(raw.target[:, None], is_row.shape)[is_row]
    order = np.argsort(pe, kind="stable")       # a PE's rows follow each other, the PEs' mix
    pe, channel = pe[order], raw.channel[is_row][order]
    run, first = raw.run[is_row][order][:, :count], raw.first[is_row][order]
    position = np.where(raw.nonzero[is_row][order][:, :count], _positions(run, first), NEVER)
    start[pe[first], channel[first]] = np.flatnonzero(first)
    np.add.at(held, (pe, channel), 1)
    return Encoded(start, held, position.astype(np.int32))


def descriptor_bytes(config: SCNNConfig) -> int:
    """Bytes of a descriptor, its CRC included."""
    tiles = (config.pe_rows + config.pe_cols) * sum(bits for _, bits in TILE_FIELDS)
    return (sum(bits for _, bits in COMMON_FIELDS) + tiles + 32) // 8


def descriptor(image: np.ndarray, address: int, config: SCNNConfig) -> dict[str, Any]:
    """The descriptor at byte `address`: the fields by name, ``rows`` and ``cols`` as lists."""
    raw = np.asarray(image[address:address + descriptor_bytes(config)], np.uint8)
    number = int.from_bytes(raw.tobytes(), "little")

    def take(fields):
        nonlocal number
        out = {}
        for name, bits in fields:
            out[name] = number & ((1 << bits) - 1)
            number >>= bits
        return out

    out: dict[str, Any] = take(COMMON_FIELDS)
    out["rows"] = [take(TILE_FIELDS) for _ in range(config.pe_rows)]
    out["cols"] = [take(TILE_FIELDS) for _ in range(config.pe_cols)]
    return out
