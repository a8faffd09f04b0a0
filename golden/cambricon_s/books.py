"""Codebooks of a layer's sub-matrices, and the width that its synapses have in the SB.

A codebook holds the values that a sub-matrix really has, so that indices lose nothing. Where a
segment lies in several sub-matrices, its codebook holds the values of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.cambricon_s.stage import OutputGroup, Stage
from hw.cambricon_s.config import WIDTHS

PLAIN = len(WIDTHS) - 1         # log2 of 16 bits: weights as they are
ENTRIES = 256                   # of a codebook at most


@dataclass(frozen=True)
class Book:
    """Ascending values; `values` is empty where synapses are plain."""

    values: tuple[int, ...]

    @property
    def width(self) -> int:
        """log2 of a synapse's bits."""
        if not self.values:
            return PLAIN
        return next(n for n, bits in enumerate(WIDTHS) if len(self.values) <= 1 << bits)

    def encode(self, weights: np.ndarray) -> np.ndarray:
        """Synapses as the SB stores them: uint16."""
        if not self.values:
            return weights.astype(np.int64).astype(np.uint16)
        return np.searchsorted(np.array(self.values), weights).astype(np.uint16)

    def decode(self, synapses: np.ndarray, data_bits: int) -> np.ndarray:
        if self.values:
            return np.array(self.values)[synapses]
        up = 64 - data_bits
        return synapses.astype(np.int64) << up >> up


class Books:
    """The codebooks of a stage; `dense`: every synapse of a window is stored."""

    def __init__(self, stage: Stage, dense: bool) -> None:
        self.stage, self.dense = stage, dense
        self._regions: dict[tuple[int, int, int], frozenset[int]] = {}
        self._known: dict[tuple[int, ...], Book] = {}

    def book(self, group: OutputGroup, low: int, high: int) -> Book:
        """For the places [low, high) of a group."""
        stage, part = self.stage, group.part
        columns = np.unique(stage.inputs[part][low:high])
        rows = np.unique(stage.rows[group.first:group.last])
        key = (part, *rows, -1, *columns)
        if key not in self._known:
            values = frozenset[int]().union(*(self._region(part, int(row), int(column))
                                              for row in rows for column in columns
                                              if column >= 0))
            fit = 0 < len(values) <= ENTRIES
            self._known[key] = Book(tuple(sorted(values)) if fit else () if values else (0,))
        return self._known[key]

    def _region(self, part: int, row: int, column: int) -> frozenset[int]:
        """The values of a sub-matrix; 0 if a synapse that is stored has it."""
        key = part, row, column
        if key not in self._regions:
            stage = self.stage
            places = stage.inputs[part] == column
            seen = np.zeros(1 << 16, bool)
            zero = False
            for group in stage.groups:
                if group.part != part or not (stage.rows[group.first:group.last] == row).any():
                    continue
                here = stage.of(group)[:, places]
                seen[np.ascontiguousarray(here).view(np.uint16)] = True
                stored = self.dense or stage.connected[group.number][:, places]
                zero = zero or bool(((here == 0) & stored).any())
                if seen.sum() > ENTRIES + 1:
                    break
            found = np.flatnonzero(seen).astype(np.uint16).view(np.int16)
            self._regions[key] = frozenset(int(v) for v in found if v or zero)
        return self._regions[key]
