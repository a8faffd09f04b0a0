# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section IV: coarse-grained pruning.
"""Coarse-grained pruning: synapses go in blocks, so that neighbouring outputs share an index.

Weights are ``[K, C/groups, R, S]``; an FC layer is ``[K, C, 1, 1]``. A window of a `Block` slides
over them; if the maximum (or the average) of its absolute weights is below a threshold, all of its
synapses are pruned. A block of 1 × 1 × 1 × 1 is ordinary, fine-grained pruning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

AXES = ("fout", "fin", "ky", "kx")          # of a weight tensor, in its order
Retrain = Callable[[list[np.ndarray], int], list[np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A window of fin inputs × fout outputs × kx columns × ky rows, and its strides.

    Strides (`step_…`) of 0 are the block's own sides: windows side by side. Smaller ones overlap
    (a synapse goes with the first window that does), larger ones leave synapses that never go.
    """

    fin: int = 1
    fout: int = 1
    kx: int = 1
    ky: int = 1
    step_fin: int = 0
    step_fout: int = 0
    step_kx: int = 0
    step_ky: int = 0

    def __post_init__(self) -> None:
        for name in AXES:
            if getattr(self, name) < 1:
                raise ValueError(f"block {name} must be at least 1, not {getattr(self, name)}")
            step = getattr(self, f"step_{name}")
            if step < 0:
                raise ValueError(f"block step_{name} must be at least 0, not {step}")

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides in the order of a weight tensor's axes."""
        return tuple(getattr(self, name) for name in AXES)

    @property
    def steps(self) -> tuple[int, ...]:
        """Strides in the order of a weight tensor's axes."""
        return tuple(getattr(self, f"step_{name}") or getattr(self, name) for name in AXES)

    def __str__(self) -> str:
        return f"({self.fin}, {self.fout}, {self.kx}, {self.ky})"


FINE = Block()


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How one layer is pruned: in which blocks, by what, down to where.

    Exactly one of `density` (the share of synapses left, by the fewest blocks that hold it) and
    `threshold` (on the block's maximum or average) is given. `groups` are those of the layer:
    blocks end where a group of outputs does.
    """

    block: Block = FINE
    criterion: Literal["max", "average"] = "average"
    density: float | None = None
    threshold: float | None = None
    groups: int = 1

    def __post_init__(self) -> None:
        if self.criterion not in ("max", "average"):
            raise ValueError(f"criterion must be max or average, not {self.criterion}")
        if (self.density is None) == (self.threshold is None):
            raise ValueError("pruning must have a density or a threshold, and not both")
        if self.density is not None and not 0 < self.density <= 1:
            raise ValueError(f"density must be above 0 and at most 1, not {self.density}")
        if self.threshold is not None and not self.threshold >= 0:
            raise ValueError(f"threshold must be at least 0, not {self.threshold}")

    def at(self, share: float) -> Pruning:
        """The same, `share` (0 to 1) of the way from dense."""
        density = None if self.density is None else 1 - (1 - self.density) * share
        threshold = None if self.threshold is None else self.threshold * share
        return Pruning(block=self.block, criterion=self.criterion, density=density,
                       threshold=threshold, groups=self.groups)


def prune(weights: np.ndarray, how: Pruning, name: str = "weights") -> np.ndarray:
    """The mask, bool of the weights' shape: True where a synapse stays. ValueError if none does."""
    windows = _Windows(weights.shape, how, name)
    scores = windows.scores(np.abs(weights), how.criterion)
    if how.threshold is not None:
        mask = ~windows.spread(scores < how.threshold, np.logical_or, False)
        if not mask.any():
            raise ValueError(f"{name}: threshold {how.threshold:g} must leave a synapse, but no "
                             f"block's {how.criterion} reaches it (the largest is "
                             f"{scores.max():.3g})")
        return mask
    return _densest(windows, scores, float(how.density or 0), name)


def _densest(windows: _Windows, scores: np.ndarray, density: float, name: str) -> np.ndarray:
    """The mask of the fewest blocks that hold `density`; of equal blocks the first ones go."""
    order = np.argsort(scores, axis=None, kind="stable")
    rank = np.empty(scores.size, np.int64)
    rank[order] = np.arange(scores.size)
    # A synapse goes with the first of its windows that does; one without windows never goes.
    rank = windows.spread(rank.reshape(scores.shape), np.minimum, scores.size)
    gone = np.cumsum(np.bincount(rank.reshape(-1), minlength=scores.size + 1))
    wanted = max(1, round(density * rank.size))
    if rank.size - gone[scores.size - 1] > wanted:
        raise ValueError(f"{name}: density {density:g} must be within reach, but the strides leave "
                         f"{1 - gone[scores.size - 1] / rank.size:.3g} out of every block")
    pruned = int(np.searchsorted(gone, rank.size - wanted, side="right"))
    return rank >= pruned


class _Windows:
    """The windows of a block over a tensor: along each axis a list of [begin, end)."""

    def __init__(self, shape: tuple[int, ...], how: Pruning, name: str) -> None:
        if len(shape) != 4:
            raise ValueError(f"{name}: must be of shape [K, C/groups, R, S], not {list(shape)}")
        if shape[0] % how.groups:
            raise ValueError(f"{name}: outputs ({shape[0]}) must be a multiple of groups "
                             f"({how.groups})")
        self.shape = shape
        self.ranges = []
        parts = (how.groups, 1, 1, 1)
        for axis, n, side, step, cut in zip(AXES, shape, how.block.sides, how.block.steps, parts,
                                            strict=True):
            if side > n // cut:
                of = f"{n // cut} of a group" if cut > 1 else str(n)
                raise ValueError(f"{name}: block {axis} ({side}) must be at most the tensor's "
                                 f"side ({of})")
            self.ranges.append(_ranges(n // cut, side, step, cut))

    def scores(self, magnitude: np.ndarray, criterion: str) -> np.ndarray:
        """The criterion of each window, over the synapses that it really has."""
        reduce = np.maximum if criterion == "max" else np.add
        out = magnitude.astype(np.float64)
        for axis, (begin, end) in enumerate(self.ranges):
            out = _reduce(reduce, out, begin, end, axis, 0.0)
            if criterion == "average":
                sides = [1] * 4
                sides[axis] = -1
                out /= (end - begin).reshape(sides)
        return out

    def spread(self, windows: np.ndarray, reduce: np.ufunc, empty: float) -> np.ndarray:
        """For each synapse the `reduce` of its windows' values; `empty` where it has none."""
        out = windows
        for axis, (begin, end) in enumerate(self.ranges):
            at = np.arange(self.shape[axis])
            first = np.searchsorted(end, at, side="right")      # windows that begin and end in
            last = np.searchsorted(begin, at, side="right")     # order: a synapse's are a range
            out = _reduce(reduce, out, first, last, axis, empty)
        return out


def _ranges(n: int, side: int, step: int, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Begin and end of the windows over `parts` stretches of `n`; the last may be cut short.

    A window begins every `step`, as long as the one before it does not reach the end already.
    """
    count = 1 + max(0, -(-(n - side) // step))
    begin = np.arange(count) * step
    begin = begin[begin < n]
    end = np.minimum(begin + side, n)
    offset = np.repeat(np.arange(parts) * n, len(begin))
    return np.tile(begin, parts) + offset, np.tile(end, parts) + offset


def _reduce(reduce: np.ufunc, values: np.ndarray, begin: np.ndarray, end: np.ndarray, axis: int,
            empty: float) -> np.ndarray:
    """`reduce` over [begin, end) along an axis; `empty` where that holds nothing."""
    pad = [(0, 0)] * values.ndim
    pad[axis] = (0, 1)                      # reduceat takes no end beyond the last element
    bounds = np.stack([begin, end], 1).reshape(-1)
    out = reduce.reduceat(np.pad(values, pad), bounds, axis=axis)
    out = np.take(out, np.arange(0, 2 * len(begin), 2), axis)
    if (begin >= end).any():
        place = [slice(None)] * values.ndim
        place[axis] = begin >= end          # type: ignore[call-overload]
        out[tuple(place)] = empty
    return out


def schedule(rounds: int) -> list[float]:
    """How far from dense each of the rounds goes, ascending to 1: fast at first (cubic)."""
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, not {rounds}")
    return [1 - (1 - n / rounds) ** 3 for n in range(1, rounds + 1)]


def iterate(weights: Sequence[np.ndarray], how: Sequence[Pruning], rounds: int,
            retrain: Retrain) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Prunes layers in rounds, each followed by ``retrain(masks, round)``, which gives the weights.

    Returns (masks, weights). A synapse that is pruned stays pruned, whatever `retrain` returns.
    """
    current = list(weights)
    masks = [np.ones(w.shape, bool) for w in current]
    for number, share in enumerate(schedule(rounds)):
        masks = [old & prune(w * old, one.at(share), f"layer {n}")
                 for n, (old, w, one) in enumerate(zip(masks, current, how, strict=True))]
        current = [w * mask for w, mask in zip(retrain(masks, number), masks, strict=True)]
    return masks, current
