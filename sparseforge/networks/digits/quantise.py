"""A trained network in integers: symmetric, a power of two per tensor, zero points 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

WEIGHT_BITS = 8
IMAGE_FRAC = 4          # pixels 0 to 16 mean 0 to 1
HIDDEN_BITS, LOGIT_BITS = 8, 16


@dataclass(frozen=True)
class QuantisedLayer:
    """One layer in integers: ``weights`` int8, ``bias`` int32 in units of the accumulator.

    ``weights`` are [K, C, R, S], of an FC layer [K, N]. ``in_frac``, ``weight_frac``, ``out_frac``
    are fraction bits: an integer q means q / 2^frac.
    """

    name: str
    weights: np.ndarray
    bias: np.ndarray
    in_frac: int
    weight_frac: int
    out_frac: int
    out_bits: int

    @property
    def shift(self) -> int:
        """How far an accumulator is shifted right to become an output."""
        return self.in_frac + self.weight_frac - self.out_frac


def fraction_bits(largest: float, bits: int) -> int:
    """The most fraction bits at which ±``largest`` still fits ``bits`` signed bits."""
    return int(np.floor(np.log2((2 ** (bits - 1) - 1) / (largest or 1.0))))


def quantise(layers: Iterable[tuple[str, np.ndarray, np.ndarray, float]]) -> list[QuantisedLayer]:
    """Layers (name, weights, bias, the largest sum seen), in floats, one reading the one before.

    The first reads pixels; the last gives logits, wider than what is between them.
    """
    given, result, in_frac = list(layers), [], IMAGE_FRAC
    for n, (name, weights, bias, largest) in enumerate(given):
        bits = LOGIT_BITS if n == len(given) - 1 else HIDDEN_BITS
        frac = fraction_bits(float(np.abs(weights).max()), WEIGHT_BITS)
        out_frac = min(fraction_bits(largest, bits), in_frac + frac)       # no shift goes left
        result.append(QuantisedLayer(
            name, np.rint(weights.astype(np.float64) * 2.0**frac).astype(np.int8),
            np.rint(bias.astype(np.float64) * 2.0**(in_frac + frac)).astype(np.int32),
            in_frac, frac, out_frac, bits))
        in_frac = out_frac
    return result
