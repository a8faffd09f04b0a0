"""What a PE fires for its share, in its order (hw/mnf/README.md, *Fire*)."""

from __future__ import annotations

import numpy as np

from golden import layers as arithmetic
from golden.layers import Layer
from golden.mnf.passes import Share
from hw.mnf.fields import POOL_SHIFT


def fire(share: Share, layer: Layer, sums: np.ndarray, bias: np.ndarray | None,
         threshold: int = 0) -> np.ndarray:
    """`fired` of the layer's sums [K, Ho, Wo], without bias. `layer.shift` is set."""
    total = sums.astype(np.int64)
    if bias is not None:
        total = total + bias.astype(np.int64)[:, None, None]
    return fired(share, layer, arithmetic.finish(layer, total), threshold)


def fired(share: Share, layer: Layer, outputs: np.ndarray, threshold: int = 0) -> np.ndarray:
    """Rows (value, channel, y, x), int64, of the layer's outputs [K, rows, cols] that a PE fires.

    Channels are the layer's.
    """
    first = share.group * (layer.k // layer.groups) + share.k[0]
    out = outputs[first:first + share.k[1] - share.k[0], share.out[0]:share.out[1]]
    fires = out > threshold if layer.relu else np.abs(out) > threshold
    channel, y, x = np.nonzero(fires)
    group, kk = np.divmod(channel, share.lanes.kl)
    # In order of group, row, column, place in the group.
    order = np.argsort(((group * out.shape[1] + y) * out.shape[2] + x) * share.lanes.kl + kk)
    rows = np.stack([out[channel, y, x], channel + first, y + share.out[0], x], axis=1)
    return rows[order].astype(np.int64)


def drained(share: Share) -> int:
    """Sums that the drain works through, surplus ones too."""
    return share.lanes.groups * share.lanes.stretch * share.lanes.used


def drain_setting(share: Share, layer: Layer, threshold: int = 0,
                  first_entry: int = 0) -> dict[str, int]:
    """The activation module's registers."""
    lanes = share.lanes
    assert layer.shift is not None
    return {
        "first": first_entry, "groups": lanes.groups, "stretch": lanes.stretch, "kl": lanes.kl,
        "used": lanes.used, "pitch": lanes.pitch, "rows": share.band[1] - share.band[0],
        "cols": layer.wo, "channels": share.k[1] - share.k[0],
        "first_channel": share.group * (layer.k // layer.groups) + share.k[0],
        "first_row": share.out[0], "multiplier": layer.multiplier, "shift": layer.shift,
        "high": (1 << layer.out_bits - 1) - 1, "relu": int(layer.relu), "threshold": threshold,
        **_pool_setting(share, layer),
    }


def _pool_setting(share: Share, layer: Layer) -> dict[str, int]:
    """What the activation module must know of pooling."""
    pool = layer.pool
    if pool is None:
        return {}
    rows = share.out[1] - share.out[0]
    slots = min(-(-pool.k // pool.s), max(rows, layer.out_w))
    return {
        "pool": 1 if pool.kind == "max" else 2, "pool_size": pool.k, "pool_step": pool.s,
        "pool_slots": slots, "pool_period": max(slots * pool.s, pool.k),
        "pool_top": share.band[0] + pool.pad - share.out[0] * pool.s, "pool_left": pool.pad,
        "pool_rows": rows, "pool_cols": layer.out_w, "pool_area": pool.k * pool.k,
        "pool_reciprocal": -(-(1 << POOL_SHIFT) // (pool.k * pool.k)),
    }
