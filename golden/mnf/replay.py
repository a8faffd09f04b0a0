"""Who gets the same events from the storage PE."""

from __future__ import annotations

from golden.layers import Layer
from golden.mnf.events import Target
from golden.mnf.passes import Share


def targets(layer: Layer, shares: list[Share]) -> list[Target]:
    """PEs that get the same events, together; in the order of their first PE."""
    depth = layer.c // layer.groups
    found: dict[tuple[tuple[int, int], tuple[int, int]], int] = {}
    for pe, share in enumerate(shares):
        first = share.group * depth
        key = share.band, (first + share.c[0], first + share.c[1])
        found[key] = found.get(key, 0) | 2 << pe
    return [Target(dest, *key) for key, dest in found.items()]
