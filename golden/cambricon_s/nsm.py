"""NSM by its definition, and its cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """Neurons (at most a window of them) and which of them are connected; end of a segment."""

    neurons: np.ndarray
    index: np.ndarray
    last: bool
    dense: bool = False
    dynamic: bool = True

    @property
    def connected(self) -> np.ndarray:
        return np.ones(len(self.neurons), bool) if self.dense else self.index.astype(bool)

    @property
    def chosen(self) -> np.ndarray:
        return self.connected & (self.neurons != 0) if self.dynamic else self.connected


@dataclass(frozen=True)
class Vector:
    """Up to Tn (neuron, target); with `last`, the segment's synapses."""

    lanes: tuple[tuple[int, int], ...]
    last: bool
    synapses: int


def select(windows: Sequence[Window], tn: int) -> list[Vector]:
    """All vectors of whole segments. A vector leaves as soon as it is full: if the last window
    adds nothing to it, one without lanes ends the segment."""
    out: list[Vector] = []
    pending: list[tuple[int, int]] = []
    synapses = 0
    for window in windows:
        for neuron, connected, chosen in zip(window.neurons, window.connected, window.chosen,
                                             strict=True):
            if chosen:
                pending.append((int(neuron), synapses))
            synapses += int(connected)
        while len(pending) > tn or (len(pending) == tn and not window.last):
            out.append(Vector(tuple(pending[:tn]), False, 0))
            pending = pending[tn:]
        if window.last:
            out.append(Vector(tuple(pending), True, synapses))
            pending, synapses = [], 0
    return out


def costs(chosen: Sequence[int], last: Sequence[bool], tn: int) -> list[int]:
    """Cycles that each window is in the last stage, from how many neurons it has chosen."""
    out, carry = [], 0
    for count, end in zip(chosen, last, strict=True):
        total = carry + count
        out.append(max(1, -(-total // tn) if end else total // tn))
        carry = 0 if end else total % tn
    return out


def cycles(cost: Sequence[int], stages: int) -> int:
    """From the first window taken to the last one's last vector, both cycles included, if windows
    are always offered and vectors always taken."""
    taken: list[int] = []
    left: list[int] = []
    for n, cost_n in enumerate(cost):
        free = left[n - stages] if n >= stages else 0
        taken.append(max(taken[-1] + 1 if taken else 0, free))
        enters = max(taken[-1] + stages, left[-1] + 1 if left else 0)
        left.append(enters + cost_n - 1)
    return left[-1] + 1
