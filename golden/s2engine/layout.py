"""Bits of lines and descriptors (``hw/s2engine/README.md``, *Memory*), both ways."""

from __future__ import annotations

from typing import Any

import numpy as np

from golden.formats import bits, ecoo, lines
from golden.s2engine.stage import deal
from hw.common.stationary.config import LINE_HEADER_BITS, StationaryConfig
from hw.common.stationary.descriptor import FIELDS

_COLUMN, _COUNT, _END = (np.array([bit]) for bit in (0, 8, 15))


def _pack(contents: np.ndarray, config: StationaryConfig) -> np.ndarray:
    return lines.pack_lines(contents, config.line_content_bits, config.memory_bits)


def _blank(count: int, config: StationaryConfig) -> np.ndarray:
    return np.zeros((count, config.line_content_bits // 8), np.uint8)


def _checked(data: np.ndarray) -> np.ndarray:
    good = lines.check_lines(data)
    if not good.all():
        raise ValueError(f"line {int(np.argmin(good))}: CRC must be that of the line")
    return data


def slots(groups: np.ndarray) -> int:
    """Lines of a group: 2 if some group has more tokens than channels can."""
    return 2 if ecoo.wide(groups).any() else 1


def tokens_of(groups: np.ndarray, sizes: np.ndarray, config: StationaryConfig) -> ecoo.Tokens:
    """Tokens of dense groups ``[N, group]`` of `sizes` channels: ECOO, or, for the naive array, all
    of them."""
    return ecoo.whole(groups, sizes) if config.naive else ecoo.compress(groups)


def feature_lines(groups: np.ndarray, slots: int, config: StationaryConfig, sizes: np.ndarray
                  ) -> np.ndarray:
    """Lines of dense groups ``[N, group]`` of `sizes` channels: uint8 [N * slots, line bytes]."""
    tokens = tokens_of(groups, sizes, config)
    words = ecoo.pack(tokens, config.offset_bits, config.mixed).astype(np.int64)
    begins = np.searchsorted(tokens.group, np.arange(len(groups)))
    place = np.arange(len(words)) - begins[tokens.group]
    table = np.zeros((len(groups) * slots, config.group), np.int64)
    table[tokens.group * slots + place // config.group, place % config.group] = words
    out = _blank(len(table), config)
    bits.put(out, config.feature_bits * np.arange(config.group), config.feature_bits, table)
    return _pack(out, config)


def features(data: np.ndarray, slots: int, config: StationaryConfig) -> np.ndarray:
    """The dense groups of lines: int64 [N, group]. Raises ValueError on what is no such line."""
    at = config.feature_bits * np.arange(config.group)
    words = bits.get(_checked(data), at, config.feature_bits).reshape(
        -1, slots * config.group)
    ends = words >> ecoo.VALUE_BITS + config.offset_bits & 1
    before = np.cumsum(ends, axis=1) - ends
    if not ends.any(axis=1).all():
        raise ValueError("a group must have EOG in its lines")
    tokens = ecoo.unpack(words[before == 0], config.offset_bits, config.mixed)
    return ecoo.decompress(tokens, len(words), config.group, zeros=config.naive)


def weight_lines(kernels: np.ndarray, config: StationaryConfig, sizes: np.ndarray) -> np.ndarray:
    """Lines of a block of kernels ``[K, groups, group]``, groups of `sizes` channels: uint8 [N,
    line bytes]."""
    k, groups, group = kernels.shape
    tiles = deal(k, -(-k // config.cols))
    whole = np.zeros((config.cols, len(tiles), groups, group), np.int64)
    for n, (first, number) in enumerate(tiles):
        whole[:number, n] = kernels[first:first + number]
    tokens = tokens_of(whole.reshape(-1, group), np.tile(sizes, config.cols * len(tiles)), config)
    column, at = np.divmod(tokens.group, len(tiles) * groups)
    eok = tokens.eog & ((at + 1) % groups == 0)
    words = ecoo.pack(tokens, config.offset_bits, config.mixed).astype(np.int64)
    words |= eok.astype(np.int64) << config.weight_bits - 1
    begins = np.searchsorted(column, np.arange(config.cols))
    place = np.arange(len(words)) - begins[column]
    each = config.weights_per_line
    opens = np.flatnonzero(place % each == 0)
    order = np.lexsort((column[opens], at[opens]))      # by group, then by column
    line = np.empty(len(opens), np.int64)
    line[order] = np.arange(len(opens))
    mine = line[np.cumsum(place % each == 0) - 1]
    table = np.zeros((len(opens), each), np.int64)
    table[mine, place % each] = words
    columns, count = np.zeros(len(opens), np.int64), np.bincount(mine)
    columns[mine] = column
    final = np.zeros(len(opens), np.int64)
    final[mine[np.append(begins[1:], len(words)) - 1]] = 1
    out = _blank(len(opens), config)
    for where, width, value in ((_COLUMN, 8, columns), (_COUNT, 7, count - 1), (_END, 1, final)):
        bits.put(out, where, width, value)
    bits.put(out, LINE_HEADER_BITS + config.weight_bits * np.arange(each), config.weight_bits,
             table)
    return _pack(out, config)


def weights(data: np.ndarray, kernels: int, groups: int, config: StationaryConfig) -> np.ndarray:
    """The dense kernels of a block's lines: int64 ``[kernels, groups, group]``.

    Raises ValueError on lines that do not say that.
    """
    each = config.weights_per_line
    column, count, final = (bits.get(_checked(data), where, width)[:, 0] for where, width in (
        (_COLUMN, 8), (_COUNT, 7), (_END, 1)))
    table = bits.get(data, LINE_HEADER_BITS + config.weight_bits * np.arange(each),
                     config.weight_bits)
    tiles = deal(kernels, -(-kernels // config.cols))
    out = np.zeros((kernels, groups, config.group), np.int64)
    for j in range(config.cols):
        mine = np.flatnonzero(column == j)
        if not len(mine) or final[mine].tolist() != [0] * (len(mine) - 1) + [1]:
            raise ValueError(f"column {j}: its last line, and no other, must end it")
        words = np.concatenate([table[n, :count[n] + 1] for n in mine])
        tokens = ecoo.unpack(words, config.offset_bits, config.mixed)
        dense = ecoo.decompress(tokens, len(tiles) * groups, config.group, zeros=config.naive)
        eok = words >> config.weight_bits - 1 == 1
        if not np.array_equal(eok, tokens.eog & ((tokens.group + 1) % groups == 0)):
            raise ValueError(f"column {j}: EOK must stand at the end of each kernel")
        for n, (first, number) in enumerate(tiles):
            kernel = dense[n * groups:(n + 1) * groups]
            if j < number:
                out[first + j] = kernel
            elif kernel.any():
                raise ValueError(f"column {j}: has no kernel in tile {n}, but weights")
    return out


def bias_lines(bias: np.ndarray, config: StationaryConfig) -> np.ndarray:
    """Lines of biases, int64 [K]: uint8 [N, line bytes]."""
    each = config.biases_per_line
    table = np.zeros((-(-len(bias) // each), each), np.int64)
    table.reshape(-1)[:len(bias)] = bias
    out = _blank(len(table), config)
    bits.put(out, config.acc_bits * np.arange(each), config.acc_bits, table)
    return _pack(out, config)


def biases(data: np.ndarray, count: int, config: StationaryConfig) -> np.ndarray:
    """The biases of lines: int64 [count]."""
    at = config.acc_bits * np.arange(config.biases_per_line)
    return bits.get(_checked(data), at, config.acc_bits, True).reshape(-1)[:count]


def descriptor_bytes(config: StationaryConfig) -> int:
    """Bytes from one descriptor to the next: whole beats."""
    return bits.record_bytes((width for _, width in FIELDS), config.memory_bits)


def pack_descriptor(values: dict[str, Any], config: StationaryConfig) -> bytes:
    """A descriptor in memory. Raises ValueError naming a field that its value does not fit."""
    return bits.pack_record(((name, width, int(values.get(name, 0))) for name, width in FIELDS),
                            config.memory_bits)


def unpack_descriptor(data: bytes) -> dict[str, int]:
    """The fields of a descriptor. Raises ValueError on a wrong CRC."""
    found = bits.unpack_record([width for _, width in FIELDS], data)
    return {name: value for (name, _), value in zip(FIELDS, found, strict=True)}
