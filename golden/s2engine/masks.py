"""Groups as bit masks over the offsets: all that timing needs to know of them."""

from __future__ import annotations

import numpy as np

from golden.formats import ecoo


def masks(groups: np.ndarray, sizes: np.ndarray | None = None) -> np.ndarray:
    """int64 ``[..., MASKS]`` of dense groups ``[..., group]``; see `golden.s2engine.array`. With
    `sizes` every channel that a group has is there, zeros too."""
    if sizes is not None:
        there = np.broadcast_to((1 << sizes.astype(np.int64)) - 1, groups.shape[:-1])
        return np.stack([there, *[np.zeros_like(there)] * 3], axis=-1)
    bits = 1 << np.arange(groups.shape[-1], dtype=np.int64)
    there, wide = groups != 0, ecoo.wide(groups)
    low = there & ~(wide & (groups & 0xFF == 0))
    high = wide & (groups >> ecoo.VALUE_BITS != 0)
    return np.stack([(m * bits).sum(axis=-1) for m in (there, wide, low, high)], axis=-1)


def tokens(masks: np.ndarray) -> np.ndarray:
    """Tokens of each group: int64 ``[...]`` of masks ``[..., MASKS]``; a placeholder counts."""
    there = np.bitwise_count(masks[..., 0].astype(np.uint64)).astype(np.int64)
    return np.maximum(there + np.bitwise_count(masks[..., 1].astype(np.uint64)), 1)
