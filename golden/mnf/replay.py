"""The ports of the storage PE, and who gets the same events from them."""

from __future__ import annotations

from golden.layers import Layer
from golden.mnf.events import Target
from golden.mnf.passes import Share
from hw.mnf.config import MNFConfig


def port_of(config: MNFConfig, node: int) -> int:
    """The port whose section a node lies in."""
    row = node // config.mesh_cols
    return next(p for p in range(config.ports)
                if row < (p + 1) * config.mesh_rows // config.ports)


def targets(layer: Layer, shares: list[Share]) -> list[Target]:
    """PEs that get the same events, together; in the order of their first PE."""
    depth = layer.c // layer.groups
    found: dict[tuple[tuple[int, int], tuple[int, int]], int] = {}
    for pe, share in enumerate(shares):
        first = share.group * depth
        key = share.band, (first + share.c[0], first + share.c[1])
        found[key] = found.get(key, 0) | 2 << pe
    return [Target(dest, *key) for key, dest in found.items()]


def members(config: MNFConfig, port: int) -> int:
    """The nodes of a port's section that are PEs, a bit each."""
    return sum(1 << node for node in range(1, config.nodes) if port_of(config, node) == port)
