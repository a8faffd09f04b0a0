# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section III-A: local convergence.
"""Local convergence: large weights of a trained layer gather in small regions.

The statistic slides a k × k window over a layer's matrix (rows: outputs, columns: inputs), and
counts the weights in it that are among the largest by absolute value. Where large weights gather,
some windows hold many and many hold none; where they are scattered, as after random
initialisation, the count is binomial.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Convergence:
    """`share` [k² + 1]: of all windows, those with 0, 1, … k² large weights."""

    window: int
    large: float
    share: np.ndarray

    @property
    def cumulative(self) -> np.ndarray:
        """Of all windows, those with at most 0, 1, … k² large weights."""
        return np.cumsum(self.share)

    @property
    def variance_ratio(self) -> float:
        """Variance of the count over that of the same number of weights scattered: 1 is none."""
        n = np.arange(len(self.share))
        mean = float((self.share * n).sum())
        scattered = mean * (1 - mean / self.window**2)
        return float((self.share * (n - mean) ** 2).sum()) / scattered


def matrix(weights: np.ndarray) -> np.ndarray:
    """The layout in two dimensions of ``[K, C, R, S]``: row k, column (c·R + r)·S + s."""
    return weights.reshape(len(weights), -1)


def convergence(weights: np.ndarray, window: int = 4, large: float = 0.1) -> Convergence:
    """The statistic of a matrix [rows, columns]; `large`: which share of the weights counts."""
    rows, columns = weights.shape
    if not 2 <= window <= min(rows, columns):
        raise ValueError(f"window must be 2 to the matrix's smaller side "
                         f"({min(rows, columns)}), not {window}")
    if not 0 < large < 1:
        raise ValueError(f"share of large weights must be between 0 and 1, not {large}")
    magnitude = np.abs(weights)
    most = max(1, round(large * magnitude.size))
    # Exactly `most` of them: of equal ones the first.
    order = np.argsort(-magnitude, axis=None, kind="stable")[:most]
    flags = np.zeros(magnitude.size, np.int64)
    flags[order] = 1
    total = np.zeros((rows + 1, columns + 1), np.int64)
    total[1:, 1:] = flags.reshape(rows, columns).cumsum(0).cumsum(1)
    counts = (total[window:, window:] - total[:-window, window:] - total[window:, :-window]
              + total[:-window, :-window])
    share = np.bincount(counts.reshape(-1), minlength=window**2 + 1) / counts.size
    return Convergence(window, large, share)
