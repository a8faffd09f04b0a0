# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section III-B: local quantisation.
"""Local quantisation: each sub-matrix of a layer's weights has a codebook of its own.

The weights that are left are clustered by k-means, and each is replaced by the index of its
cluster. With one sub-matrix this is global quantisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LONGEST = 100           # iterations of k-means: it has settled long before


@dataclass(frozen=True, kw_only=True)
class Submatrices:
    """How a layer is cut: `outputs` × `inputs` channels each (0: all of them)."""

    outputs: int = 0
    inputs: int = 0

    def __post_init__(self) -> None:
        for name in ("outputs", "inputs"):
            if getattr(self, name) < 0:
                raise ValueError(f"sub-matrix {name} must be at least 0 (all), "
                                 f"not {getattr(self, name)}")

    def grid(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Sub-matrices along outputs and inputs of weights ``[K, C/groups, R, S]``."""
        return (-(-shape[0] // (self.outputs or shape[0])),
                -(-shape[1] // (self.inputs or shape[1])))

    def number(self, shape: tuple[int, ...]) -> np.ndarray:
        """The number of each weight's sub-matrix, int32 ``[K, C/groups, 1, 1]``: row by row."""
        down = np.arange(shape[0]) // (self.outputs or shape[0])
        across = np.arange(shape[1]) // (self.inputs or shape[1])
        width = self.grid(shape)[1]
        return (down[:, None] * width + across).astype(np.int32)[:, :, None, None]


GLOBAL = Submatrices()


@dataclass(frozen=True)
class Quantised:
    """A layer as codebooks and indices.

    `indices`: int16 of the weights' shape, -1 where there is no synapse. `codebooks`: float32
    ``[sub-matrices, 2^bits]``, ascending, the last value repeated where fewer are used. `used`:
    how many of each are.
    """

    indices: np.ndarray
    codebooks: np.ndarray
    used: np.ndarray
    bits: int
    cut: Submatrices

    @property
    def mask(self) -> np.ndarray:
        return self.indices >= 0

    def look_up(self, codebooks: np.ndarray | None = None) -> np.ndarray:
        """The weights, 0 where there is no synapse; from other `codebooks` if given."""
        books = self.codebooks if codebooks is None else codebooks
        number = self.cut.number(self.indices.shape)
        values = books[number, np.maximum(self.indices, 0)]
        return np.where(self.mask, values, np.zeros((), books.dtype))

    def tie(self, weights: np.ndarray) -> Quantised:
        """The same clusters, each at the mean of its weights: what retraining does to codebooks."""
        flat = self._flat()
        size = self.codebooks.size
        count = np.bincount(flat, minlength=size)
        total = np.bincount(flat, weights=weights[self.mask].astype(np.float64), minlength=size)
        books = np.where(count > 0, total / np.maximum(count, 1), self.codebooks.reshape(-1))
        books = books.reshape(self.codebooks.shape).astype(np.float32)
        return Quantised(self.indices, books, self.used, self.bits, self.cut)

    def counts(self) -> np.ndarray:
        """How often each index occurs, int64 [2^bits], over all sub-matrices."""
        return np.bincount(self.indices[self.mask], minlength=1 << self.bits)

    def _flat(self) -> np.ndarray:
        number = np.broadcast_to(self.cut.number(self.indices.shape), self.indices.shape)
        return (number[self.mask].astype(np.int64) << self.bits) + self.indices[self.mask]


def quantise(weights: np.ndarray, mask: np.ndarray, bits: int,
             cut: Submatrices = GLOBAL) -> Quantised:
    """Clusters the weights ``[K, C/groups, R, S]`` where `mask` is set; `bits` 1 to 8."""
    number = np.broadcast_to(cut.number(weights.shape), weights.shape)[mask]
    found = cluster(weights[mask], number, int(np.prod(cut.grid(weights.shape))), bits)
    indices = np.full(weights.shape, -1, np.int16)
    indices[mask] = found[0]
    return Quantised(indices, *found[1:], bits, cut)


def cluster(values: np.ndarray, number: np.ndarray, total: int,
            bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(indices, codebooks, used), as in `Quantised`, of weights and their sub-matrices' numbers."""
    check_bits(bits)
    indices = np.empty(len(values), np.int16)
    codebooks, used = np.zeros((total, 1 << bits), np.float32), np.zeros(total, np.int64)
    order = np.lexsort((values, number))
    bounds = np.searchsorted(number[order], np.arange(total + 1))
    for n in range(total):
        here = order[bounds[n]:bounds[n + 1]]
        if len(here):
            book, index = _kmeans(values[here].astype(np.float64), 1 << bits)
            indices[here], used[n] = index, len(book)
            codebooks[n, :len(book)], codebooks[n, len(book):] = book, book[-1]
    return indices, codebooks, used


def check_bits(bits: int) -> None:
    if not 1 <= bits <= 8:
        raise ValueError(f"weight indices must be of 1 to 8 bits, not {bits}")


def kmeans(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(ascending centroids, index of each value) of at most `count` clusters of numbers.

    Lloyd's iterations from centroids spread evenly over the range, so that nothing is drawn at
    random; where a cluster runs empty, the one with the largest squared error is split. Up to
    `count` different values come back as they are.
    """
    if count < 1:
        raise ValueError(f"clusters must be at least 1, not {count}")
    order = np.argsort(values, kind="stable")
    book, index = _kmeans(np.asarray(values, np.float64)[order], count)
    out = np.empty(len(order), np.int64)
    out[order] = index
    return book, out


def _kmeans(ordered: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for ascending values. In one dimension a cluster is a stretch of them."""
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    if first.sum() <= count:
        return ordered[first], np.cumsum(first) - 1
    sums, squares = (np.concatenate([[0.0], np.cumsum(v)]) for v in (ordered, ordered**2))
    centres = np.linspace(ordered[0], ordered[-1], count)
    bounds = np.empty(0, np.int64)
    for _ in range(LONGEST):
        middle = (centres[1:] + centres[:-1]) / 2
        now = np.concatenate([[0], np.searchsorted(ordered, middle), [len(ordered)]])
        now = np.unique(now)                    # without the clusters that are empty
        while len(now) <= count:
            now = _split(ordered, sums, squares, now)
        if np.array_equal(now, bounds):
            break
        bounds = now
        centres = np.diff(sums[bounds]) / np.diff(bounds)
    return centres, np.repeat(np.arange(len(centres)), np.diff(bounds))


def _split(ordered: np.ndarray, sums: np.ndarray, squares: np.ndarray,
           bounds: np.ndarray) -> np.ndarray:
    """`bounds` with one more, in the middle of the cluster of the largest squared error."""
    begin, end = bounds[:-1], bounds[1:]
    total, mean = np.diff(sums[bounds]), np.diff(sums[bounds]) / np.diff(bounds)
    error = np.diff(squares[bounds]) - total * mean
    worst = int(np.where(ordered[begin] < ordered[end - 1], error, -np.inf).argmax())
    at = int(np.searchsorted(ordered, mean[worst], side="right"))
    first = int(np.searchsorted(ordered, ordered[begin[worst]], side="right"))
    last = int(np.searchsorted(ordered, ordered[end[worst] - 1]))
    return np.insert(bounds, worst + 1, min(max(at, first), last))
