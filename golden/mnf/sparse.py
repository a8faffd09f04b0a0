"""Weight sparsity: each lane's non-zero weights as a list (hw/mnf/README.md, *Weight sparsity*)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from golden.layers import Layer
from golden.mnf.geometry import Axis, Geometry
from golden.mnf.passes import Share, words
from hw.mnf.config import MNFConfig

if TYPE_CHECKING:
    from golden.mnf.program import Pass


@dataclass(frozen=True, eq=False)
class Lists:
    """The weight SRAM and the table of pointers of a PE.

    `words` int64 [words, lanes]: weight in the low `data_bits`, group above; `start` and `count`
    int64 [channels · tiles]: the words of a tile. `loads` int64 [channels · tiles, lanes]: how many
    weights each lane has.
    """

    words: np.ndarray
    start: np.ndarray
    count: np.ndarray
    loads: np.ndarray

    @property
    def balance(self) -> float:
        """Mean over maximum load of a lane, over all tiles' words."""
        return float(self.loads.sum() / max(1, self.loads.shape[1] * self.count.sum()))


def lane_load(passes: Sequence[Pass], config: MNFConfig) -> float:
    """Mean over maximum load of a lane, over all words of some passes: how full they are."""
    seen: set[Share] = set()
    weights = places = 0
    for one in passes:
        for share in one.shares:
            key = replace(share, band=(0, 0), out=(0, 0))       # bands share weights
            if key not in seen:
                seen.add(key)
                found = lists(share, one.reads, one.weights, config)
                weights += int(found.loads.sum())
                places += config.lanes * len(found.words)
    return weights / max(1, places)


def multiplications(share: Share, layer: Layer, weights: np.ndarray, plane: np.ndarray) -> int:
    """Of a share: non-zero weights by the non-zero pixels that they meet."""
    geometry, depth = Geometry.of(layer), layer.c // layer.groups
    first, k = share.group * depth, share.group * (layer.k // layer.groups)
    own = weights[k + share.k[0]:k + share.k[1], share.c[0]:share.c[1]] != 0
    active = plane[first + share.c[0]:first + share.c[1]] != 0
    total = 0
    for r in range(layer.r):
        rows = _met(geometry.rows, r, layer.h, *share.band)
        for s in range(layer.s):
            cols = _met(geometry.cols, s, layer.w, 0, layer.wo)
            met = np.count_nonzero(active[:, rows][:, :, cols], axis=(1, 2))
            total += int(np.count_nonzero(own[:, :, r, s], axis=0) @ met)
    return total


def _met(axis: Axis, tap: int, size: int, first: int, last: int) -> np.ndarray:
    """Pixels that a tap meets for the outputs [first, last)."""
    at = np.arange(first, last) * axis.stride + tap - axis.pad
    return at[(at >= 0) & (at < size)]


def lists(share: Share, layer: Layer, weights: np.ndarray, config: MNFConfig) -> Lists:
    """The lists of a share, of the layer's weights [K, C/groups, R, S].

    A list is in the order of groups; a tile has as many words as its longest list is long.
    """
    tiles = share.lanes.tiles[0] * share.lanes.tiles[1]
    every = words(share, layer, weights, config.lanes).astype(np.int64).reshape(
        -1, share.lanes.groups, tiles, config.lanes).transpose(0, 2, 1, 3)
    dense = every.reshape(-1, share.lanes.groups, config.lanes)     # tiles, groups, lanes
    there = dense != 0
    loads = there.sum(axis=1)
    count = loads.max(axis=1)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    out = np.zeros((int(count.sum()), config.lanes), np.int64)
    tile, group, lane = np.nonzero(there)
    row = start[tile] + (np.cumsum(there, axis=1) - 1)[tile, group, lane]
    out[row, lane] = (dense[tile, group, lane] & (1 << config.data_bits) - 1) | (
        group << config.data_bits)
    return Lists(out, start, count, loads)
