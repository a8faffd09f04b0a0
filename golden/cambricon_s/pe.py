"""The blocks behind NSM, by their definitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from golden.numeric import wrap


@dataclass(frozen=True)
class Issue:
    """One step of all PEs: the first word in view, (lane, neuron, offset in view) of its lanes."""

    word: int
    lanes: tuple[tuple[int, int, int], ...]
    last: bool


def issues(lanes: Sequence[tuple[int, int]], last: bool, width: int, view: int, word_bits: int,
           base: int = 0) -> list[Issue]:
    """A vector of (neuron, target) as issues: each lane goes with the first view that holds it.

    `width`: bits of a synapse; `view`: SB words that are seen; `base`: the segment's first word.
    """
    per_word = word_bits // width
    out: list[Issue] = []
    left = list(enumerate(lanes))
    while left or not out:
        first = left[0][1][1] // per_word if left else 0
        here = [(n, neuron, target - first * per_word) for n, (neuron, target) in left
                if target // per_word - first < view]
        left = left[len(here):]
        out.append(Issue(base + first, tuple(here), last and not left))
    return out


def aliased(words: Sequence[int], width: int, word_bits: int) -> list[int]:
    """SB words as synapses of `width` bits, lowest bits first."""
    return [word >> at & (1 << width) - 1 for word in words for at in range(0, word_bits, width)]


def dot(neurons: np.ndarray, synapses: np.ndarray, acc_bits: int) -> int:
    """The sum of products, modulo 2^acc_bits."""
    exact = sum(int(a) * int(b) for a, b in zip(neurons, synapses, strict=True))
    low = exact & (1 << acc_bits) - 1
    return int(wrap(np.array([low - (1 << 64) if low >> 63 else low]), acc_bits)[0])
