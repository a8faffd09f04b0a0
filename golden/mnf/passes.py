"""What each PE does in each pass of a mapping, and the weight SRAM that it needs for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from golden.layers import Layer
from golden.mnf.geometry import Geometry
from golden.mnf.lanes import LaneMap
from golden.mnf.mapping import Mapping


@dataclass(frozen=True)
class Share:
    """One PE's part of a pass. Ranges are [first, last), channels within convolution group
    `group`."""

    group: int
    k: tuple[int, int]          # output channels
    c: tuple[int, int]          # input channels, stride phases not counted
    band: tuple[int, int]       # rows of the convolution
    out: tuple[int, int]        # rows of the outputs, after pooling
    fires: bool                 # the last pass of these sums
    lanes: LaneMap


def passes(mapping: Mapping) -> Iterator[list[Share]]:
    """The passes in order: groups, blocks, bands, input channels. PEs without work are left out."""
    layer, bands = mapping.layer, mapping.bands
    k, c = layer.k // layer.groups, layer.c // layer.groups
    for group, block, band, first in product(
            range(mapping.group_passes), range(mapping.channel_passes),
            range(mapping.band_passes), range(0, c, mapping.channels)):
        last = min(first + mapping.channels, c)
        shares = []
        for own_group, own_band, own_block in product(
                range(mapping.group_ways), range(mapping.band_ways), range(mapping.channel_ways)):
            n, at = group * mapping.group_ways + own_group, band * mapping.band_ways + own_band
            rows = _block(mapping, k, own_block, block)
            if n < layer.groups and at < len(bands) and rows[0] < rows[1]:
                groups = -(-(rows[1] - rows[0]) // mapping.lanes.kl)
                shares.append(Share(n, rows, (first, last), bands[at], mapping.outputs[at],
                                    last == c, replace(mapping.lanes, groups=groups)))
        yield shares


def _block(mapping: Mapping, k: int, way: int, channel_pass: int) -> tuple[int, int]:
    """Output channels of a PE in a channel pass: its block is dealt over the passes."""
    kl, whole = mapping.lanes.kl, mapping.block_groups
    start = way * whole
    first = start + channel_pass * mapping.lanes.groups
    last = min(first + mapping.lanes.groups, start + whole)
    return min(first * kl, k), min(last * kl, k)


def words(share: Share, layer: Layer, weights: np.ndarray, lanes: int) -> np.ndarray:
    """The weight SRAM of a PE for its share, [words, lanes], of the layer's [K, C/groups, R, S]."""
    first = share.group * (layer.k // layer.groups)
    own = weights[first + share.k[0]:first + share.k[1], share.c[0]:share.c[1]]
    return share.lanes.pack(Geometry.of(layer).split(own), lanes)
