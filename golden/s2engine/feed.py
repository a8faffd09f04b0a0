"""What a pass is fed: its DMA commands, its lines and where they go, its tokens; for the cycle
model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.formats import bits, ecoo
from golden.s2engine import clocked, decode, layout, loader
from golden.s2engine.image import LayerPass
from golden.s2engine.stage import column_order
from hw.common.stationary.config import LINE_HEADER_BITS, StationaryConfig

COLUMNS = 128           # a line's target: a row, COLUMNS + a column,
NOWHERE, BIASES = -1, -2        # dropped; biases, in `size` cycles


class Feed(NamedTuple):
    """All arrays are int64 but `tokens` (int16, `golden.s2engine.clocked`)."""

    address: np.ndarray     # by DMA command, in beats
    lines: np.ndarray
    features: np.ndarray    # it is of features
    target: np.ndarray      # by line, in the order of the loader
    begin: np.ndarray       # first token
    size: np.ndarray
    ends: np.ndarray        # its section
    tokens: np.ndarray
    parts: np.ndarray       # [tiles, rows]: each row's part in a pixel tile
    column_begins: np.ndarray       # by group of a kernel row
    column_ends: np.ndarray


def _tokens(value: np.ndarray, offset: np.ndarray, eog: np.ndarray, tag: np.ndarray) -> np.ndarray:
    """Tokens as `clocked` has them; of tagged ones a second with the offset before is a high
    half."""
    high = np.zeros(len(tag), bool)
    high[1:] = tag[1:] & tag[:-1] & ~eog[:-1] & (offset[1:] == offset[:-1])
    low = tag & ~high
    return (offset | eog * clocked.EOG | low * clocked.LOW | high * clocked.HIGH
            | (value != 0) * clocked.NONZERO).astype(np.int16)


def _weights(memory: bytes, base: int, d: dict[str, int], config: StationaryConfig) -> tuple[
        np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the block's lines: target, first token, tokens, end; and all tokens."""
    data = decode.section(memory, base, d["weight_addr"], d["weight_lines"], config)
    column, last, end = (bits.get(data, np.array([at]), width)[:, 0]
                         for at, width in ((0, 8), (8, 7), (15, 1)))
    each, size = config.weights_per_line, config.weight_bits
    table = bits.get(data, LINE_HEADER_BITS + size * np.arange(each), size)
    order = np.argsort(column, kind="stable")       # a column's lines together
    there = np.arange(each) <= last[order, None]
    words = table[order][there]
    found = ecoo.unpack(words, config.offset_bits, config.mixed)
    tokens = _tokens(found.value, found.offset, found.eog, found.tag)
    tokens |= ((words >> size - 1 & 1) * clocked.EOK).astype(np.int16)
    begin = np.empty(len(order), np.int64)
    begin[order] = np.cumsum(last[order] + 1) - (last[order] + 1)
    return column + COLUMNS, begin, last + 1, end, tokens


def _features(one: LayerPass, runs: np.ndarray, config: StationaryConfig) -> tuple[np.ndarray, ...]:
    """Of the lines of `runs` (first line from feature_addr, lines, first row, rows, final):
    target, first token, tokens, end; and all tokens."""
    d, plan = one.descriptor, one.plan
    dense = plan.stage.features(plan.image, plan.part, config.group)
    sizes = np.repeat(plan.stage.group_sizes(config.group), dense[0, ..., 0].size)
    found = layout.tokens_of(dense.reshape(-1, config.group), sizes, config)
    tokens = _tokens(found.value, found.offset, found.eog, found.tag)
    bounds = np.searchsorted(found.group, np.arange(len(dense.reshape(-1, config.group)) + 1))
    slots = d["slots"]
    which = np.repeat(np.arange(len(runs)), runs[:, 1])
    ends = np.cumsum(runs[:, 1])
    line = np.arange(len(which)) - (ends - runs[:, 1])[which]
    place, behind = runs[which, 0] + line, line // slots
    c, rest = np.divmod(place, d["group_lines"])
    y, rest = np.divmod(rest, d["row_lines"])
    residue, rest = np.divmod(rest, d["residue_lines"])
    x = rest // slots * d["stride"] + residue
    group = (c * dense.shape[1] + y) * dense.shape[2] + x
    row = np.minimum(behind, runs[which, 3] - 1)
    many = bounds[group + 1] - bounds[group]
    begin = bounds[group] + np.minimum(line % slots * config.group, many)
    count = np.minimum(bounds[group + 1] - begin, config.group)
    target = np.where(count > 0, runs[which, 2] + row, NOWHERE)
    whole = begin + count == bounds[group + 1]
    own_last = (row < runs[which, 3] - 1) | (behind == runs[which, 1] // slots - 1)
    return target, begin, count, (whole & own_last & (runs[which, 4] != 0)).astype(np.int64), tokens


def _biases(d: dict[str, int], config: StationaryConfig) -> tuple[np.ndarray, ...]:
    each = config.biases_per_line
    left = d["kernels"] - each * np.arange(d["bias_lines"])
    none = np.zeros(d["bias_lines"], np.int64)
    return none + BIASES, none, np.minimum(left, each), none


def _parts(d: dict[str, int], config: StationaryConfig) -> np.ndarray:
    out = np.full((d["tiles"], config.rows), clocked.EMPTY_ROW, np.int64)
    reuse = d | {"ce": 1}       # chains whatever the switch says
    for tile in range(d["tiles"]):
        for first, rows, _, _ in loader.chains(reuse, tile):
            out[tile, first:first + rows] = 0
            out[tile, first] |= clocked.FIRST
            out[tile, first + rows - 1] |= clocked.LAST
    return out


def feed(one: LayerPass, memory: bytes, base: int, config: StationaryConfig) -> Feed:
    """What descriptor `one` of an image `memory`, which begins at `base`, feeds."""
    d, size = one.descriptor, config.line_bits // 8
    made = list(loader.runs(d, config))
    kind = np.array([run.kind for run in made])
    address = np.array([run.address for run in made], np.int64)
    table = np.array([(0, run.lines, run.first, run.rows, run.final) for run in made], np.int64)
    table[:, 0] = (address - d["feature_addr"]) // size
    *weights, w_tokens = _weights(memory, base, d, config)
    *features, f_tokens = _features(one, table[kind == loader.FEATURE], config)
    features[1] = features[1] + len(w_tokens)
    biases = _biases(d, config)
    # The lines of all runs, in order.
    which = np.repeat(np.arange(len(made)), table[:, 1])
    kinds = kind[which]
    columns = [np.empty(len(which), np.int64) for _ in range(4)]
    for out, bias, weight, feature in zip(columns, biases, weights, features, strict=True):
        out[kinds == loader.BIAS] = bias
        out[kinds == loader.WEIGHT] = np.tile(weight, int((kind == loader.WEIGHT).sum()))
        out[kinds == loader.FEATURE] = feature
    target, begin, count, ends = columns
    stride = d["stride"]
    order = column_order(d["kernel_cols"], stride)
    return Feed(
        address=address * 8 // config.memory_bits, lines=np.ascontiguousarray(table[:, 1]),
        features=(kind == loader.FEATURE).astype(np.int64), target=target, begin=begin, size=count,
        ends=ends, tokens=np.concatenate([w_tokens, f_tokens]), parts=_parts(d, config),
        column_begins=np.array([k == 0 for _, k in order], np.int64),
        column_ends=np.array([rho + (k + 1) * stride >= d["kernel_cols"] for rho, k in order],
                             np.int64))
