# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section III-C: measurement of irregularity.
"""Irregularity: how much a bilevel coder can save on the index of a layer.

R_irr = bytes of JBIG(fine-grained index) / bytes of JBIG(coarse-grained index), both indices being
of one tensor, pruned to one density. JBIG predicts a pixel from its neighbours, so regular indices
become short. The index of a layer as an image is `convergence.matrix`: a row per output k, and in
it the column (c·R + r)·S + s.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from golden.cambricon_s.convergence import matrix
from golden.cambricon_s.pruning import FINE, Pruning, prune
from golden.formats import jbig


@dataclass(frozen=True)
class Irregularity:
    """Bytes of the two indices. `raw`: a bit per synapse, of either: JBIG's header of 20 bytes
    decides where that is little."""

    synapses: int
    kept: int
    raw: int
    fine: int
    coarse: int

    @property
    def ratio(self) -> float:
        """R_irr."""
        return self.fine / self.coarse

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "r_irr": self.ratio}


def fine_mask(weights: np.ndarray, kept: int) -> np.ndarray:
    """The index of the `kept` largest weights: what fine-grained pruning leaves."""
    mask = prune(weights, Pruning(block=FINE, density=kept / weights.size))
    assert mask.sum() == kept
    return mask


def irregularity(fine: np.ndarray, coarse: np.ndarray) -> Irregularity:
    """Of two masks ``[K, C, R, S]`` that hold as many synapses; ValueError if they do not."""
    kept = [int(np.count_nonzero(mask)) for mask in (fine, coarse)]
    if fine.shape != coarse.shape or kept[0] != kept[1]:
        raise ValueError(f"the two indices must be of one tensor and one density, not {kept[0]} "
                         f"synapses of {list(fine.shape)} and {kept[1]} of {list(coarse.shape)}")
    sizes = [len(jbig.encode(matrix(mask))) for mask in (fine, coarse)]
    return Irregularity(fine.size, kept[0], -(-fine.size // 8), *sizes)


def total(parts: list[Irregularity]) -> Irregularity:
    """Of all layers of a network: the sums."""
    return Irregularity(*(sum(getattr(p, field) for p in parts) for field in
                          ("synapses", "kept", "raw", "fine", "coarse")))
