"""A port's share of a pass in time: the map is replayed, pixel by pixel, to the port's targets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import njit
from golden.layers import Layer
from golden.mnf import section as network
from golden.mnf.events import Target
from golden.mnf.geometry import Geometry
from golden.mnf.mapping import tiles_reached
from golden.mnf.passes import Share
from hw.mnf.config import MNFConfig


class Tables(NamedTuple):
    """What a pixel makes in each target: tiles = rows' × columns', times a PE's groups."""

    dest: np.ndarray            # int64 [targets]
    channels: np.ndarray        # int64 [targets, 2]: [first, last)
    rows: np.ndarray            # int64 [targets, H]: tiles that a row reaches, 0: no event
    cols: np.ndarray            # int64 [W]
    groups: np.ndarray          # int64 [PEs]


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


def tables(layer: Layer, shares: list[Share], config: MNFConfig, port: int) -> Tables:
    """Of a pass, for the generator of a port: targets without PEs in its section are left out."""
    geometry, lanes, mask = Geometry.of(layer), shares[0].lanes, members(config, port)
    own = [t for t in targets(layer, shares) if t.dest & mask]
    groups = np.zeros(config.pes, np.int64)
    groups[:len(shares)] = [share.lanes.groups for share in shares]
    return Tables(
        np.array([t.dest & mask for t in own], np.int64),
        np.array([t.channels for t in own], np.int64).reshape(-1, 2),
        np.array([tiles_reached(geometry.rows, layer.h, lanes.pr, *t.band) for t in own],
                 np.int64).reshape(-1, layer.h),
        tiles_reached(geometry.cols, layer.w, lanes.pc, 0, layer.wo).astype(np.int64), groups)


@njit
def replay(one, tables, pixels, start, closed, stolen, arrived):
    """All pixels [N, 3] (channel, y, x), offered from `start` on; the rest as `section.deliver`.

    Returns from when on the generator is idle, and the events.
    """
    vectors = np.zeros_like(tables.groups)
    idle, events = start, 0
    for n in range(len(pixels)):
        channel, y, x = pixels[n]
        network.pixel(one, start)
        across, first = tables.cols[x], True
        for t in range(len(tables.dest)):
            tiles = tables.rows[t, y] * across
            if not tiles or channel < tables.channels[t, 0] or channel >= tables.channels[t, 1]:
                continue
            for pe in range(len(vectors)):
                vectors[pe] = tables.groups[pe] * tiles
            taken = network.deliver(one, tables.dest[t], network.event(one, first), vectors,
                                    closed, stolen, arrived)
            one.generator[network.PORT] = taken
            first, idle, events = False, taken + 1, events + 1
        if first:
            network.nothing(one)
            idle = max(idle, one.generator[network.CHOOSE] + 1)
    return idle, events
