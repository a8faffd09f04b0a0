"""Stride phases, and what a pixel reaches: one axis at a time (hw/mnf/README.md, *Geometry*)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.layers import Layer


@dataclass(frozen=True)
class Reach:
    """What pixels reach along an axis, one entry per pixel; where not `hit` the rest means nothing.

    `first` is the first output, `tap` the tap (of the phase) that meets it, `jump` the number of
    further ones.
    """

    hit: np.ndarray
    first: np.ndarray
    tap: np.ndarray
    jump: np.ndarray


@dataclass(frozen=True)
class Axis:
    """Rows or columns of a layer: `kernel` taps, `stride`, `pad` cells in front, `out` outputs."""

    kernel: int
    stride: int
    pad: int
    out: int

    @property
    def phases(self) -> int:
        """Phases that have taps."""
        return min(self.stride, self.kernel)

    @property
    def taps(self) -> int:
        """Taps of phase 0, the one with the most."""
        return -(-self.kernel // self.stride)

    def phase(self, at: np.ndarray) -> np.ndarray:
        return (at + self.pad) % self.stride

    def reach(self, at: np.ndarray, first: int, last: int) -> Reach:
        """What the pixels `at` (row or column numbers) reach among outputs [first, last)."""
        position = (at + self.pad) // self.stride
        taps = -((self.phase(at) - self.kernel) // self.stride)
        low = np.maximum(first, position - taps + 1)
        high = np.minimum(last - 1, position)
        return Reach((low <= high) & (taps > 0), low, position - low, high - low)


@dataclass(frozen=True)
class Geometry:
    """The two axes of a layer and its channels after the split by stride."""

    rows: Axis
    cols: Axis
    channels: int               # input channels of a convolution group

    @classmethod
    def of(cls, layer: Layer) -> Geometry:
        top, _, left, _ = layer.pads
        return cls(Axis(layer.r, layer.stride, top, layer.ho),
                   Axis(layer.s, layer.stride, left, layer.wo), layer.c // layer.groups)

    @property
    def phases(self) -> int:
        return self.rows.phases * self.cols.phases

    @property
    def taps(self) -> tuple[int, int]:
        """Rows and columns of the largest sub-filter."""
        return self.rows.taps, self.cols.taps

    def split(self, weights: np.ndarray) -> np.ndarray:
        """Weights [K, C, R, S] as sub-filters [K, C·phases, rows, cols], zero where there is no
        tap."""
        (rows, cols), stride = self.taps, self.rows.stride
        k, c = weights.shape[:2]
        out = np.zeros((k, c, self.rows.phases, self.cols.phases, rows, cols), weights.dtype)
        for y in range(self.rows.phases):
            for x in range(self.cols.phases):
                part = weights[:, :, y::stride, x::stride]
                out[:, :, y, x, :part.shape[2], :part.shape[3]] = part
        return out.reshape(k, c * self.phases, rows, cols)
