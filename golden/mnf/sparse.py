"""Weight sparsity: each lane's non-zero weights as a list (hw/mnf/README.md, *Weight sparsity*)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.layers import Layer
from golden.mnf.passes import Share, words
from hw.mnf.config import MNFConfig


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
