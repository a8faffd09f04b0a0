"""What a PE fires for its share, in its order (hw/mnf/README.md, *Fire*); without pooling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from golden import layers as arithmetic
from golden.layers import Layer
from golden.mnf.passes import Share


def fire(share: Share, layer: Layer, sums: np.ndarray, bias: np.ndarray | None,
         threshold: int = 0) -> np.ndarray:
    """Rows (value, channel, y, x) in the layer's output, int64, of the layer's sums [K, Ho, Wo].

    Channels are the layer's. `layer.shift` is set, `layer.pool` is left out.
    """
    first = share.group * (layer.k // layer.groups)
    own = slice(first + share.k[0], first + share.k[1])
    total = sums[own, share.band[0]:share.band[1]].astype(np.int64)
    if bias is not None:
        total = total + bias[own].astype(np.int64)[:, None, None]
    out = arithmetic.finish(replace(layer, pool=None), total)
    fires = out > threshold if layer.relu else np.abs(out) > threshold
    channel, y, x = np.nonzero(fires)
    group, kk = np.divmod(channel, share.lanes.kl)
    order = np.lexsort((kk, x, y, group))
    rows = np.stack([out[channel, y, x], channel + own.start, y + share.band[0], x], axis=1)
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
        "first_row": share.band[0], "multiplier": layer.multiplier, "shift": layer.shift,
        "high": (1 << layer.out_bits - 1) - 1, "relu": int(layer.relu), "threshold": threshold,
    }
