"""Mapping of a layer onto the PEs (Section 5.3), and the search for one.

A *pass* gives each PE one convolution group, one block of output channels and one band of output
rows. `search` counts the vectors of every way to do so on the histogram of the layer's events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from golden.layers import Layer
from golden.mnf.geometry import Axis, Geometry
from golden.mnf.lanes import LaneMap, smallest_pitch
from golden.mnf.limits import check
from hw.mnf.config import MNFConfig
from hw.mnf.fields import flits_per_line, line_bits

# Cycles of a pass in which nothing is multiplied, whatever it does: its descriptor, the first line
# of its set-up and that of its map, each behind the memory's latency (64), and its END.
BETWEEN = 300


def _up(value: int, by: int) -> int:
    return -(-value // by)


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """How a layer runs. `lanes` is the map of a whole pass: its `groups` are a PE's at most.

    In a pass `band_ways` bands of `height` rows (after pooling) times `channel_ways` blocks times
    `group_ways` convolution groups run side by side; `channels` input channels (stride phases not
    counted) have their weights in the SRAM at a time.
    """

    layer: Layer
    config: MNFConfig
    lanes: LaneMap
    height: int
    band_ways: int
    channel_ways: int
    group_ways: int
    block_groups: int           # groups of kl output channels of a PE, over all its passes
    channels: int
    sides: int                  # 2: drains run beside the next pass, in the other half of the SRAM

    @cached_property
    def outputs(self) -> list[tuple[int, int]]:
        """Rows [first, last) of the layer's outputs, after pooling, of each band."""
        rows = self.layer.out_h
        return [(first, min(first + self.height, rows)) for first in range(0, rows, self.height)]

    @cached_property
    def bands(self) -> list[tuple[int, int]]:
        """Rows [first, last) of the convolution that each band computes."""
        return [conv_rows(self.layer, *band) for band in self.outputs]

    @property
    def band_passes(self) -> int:
        return _up(len(self.bands), self.band_ways)

    @property
    def channel_passes(self) -> int:
        return _up(self.block_groups, self.lanes.groups)

    @property
    def group_passes(self) -> int:
        return _up(self.layer.groups, self.group_ways)

    @property
    def load_passes(self) -> int:
        """Passes over parts of the input channels, of which the last one fires."""
        return _up(self.layer.c // self.layer.groups, self.channels)

    @property
    def passes(self) -> int:
        return self.band_passes * self.channel_passes * self.group_passes * self.load_passes

    @property
    def pes(self) -> int:
        """PEs at work."""
        return self.band_ways * self.channel_ways * self.group_ways

    @cached_property
    def interior(self) -> float:
        """Lanes busy on an event that reaches all that it can, on average over the phases."""
        geometry, lanes = Geometry.of(self.layer), self.lanes
        work = words = 0
        for row in range(geometry.rows.phases):
            for col in range(geometry.cols.phases):
                taps = _taps(geometry.rows, row), _taps(geometry.cols, col)
                tiles = _up_from(taps[0], lanes.taps[0], lanes.pr) * _up_from(
                    taps[1], lanes.taps[1], lanes.pc)
                work += taps[0] * taps[1] * lanes.kl
                words += tiles * self.config.lanes
        return work / words

    @property
    def remainder(self) -> float:
        """Output channels of the layer over the places that PEs and passes have for them."""
        places = self.channel_ways * self.block_groups * self.lanes.kl
        return self.layer.k // self.layer.groups / places


def conv_rows(layer: Layer, first: int, last: int) -> tuple[int, int]:
    """Rows of the convolution that output rows [first, last) need."""
    pool = layer.pool
    if pool is None:
        return first, last
    return (max(0, first * pool.s - pool.pad),
            min(layer.ho, (last - 1) * pool.s - pool.pad + pool.k))


def hang(layer: Layer, windows: int, size: int) -> int:
    """Cells by which the last of some pooling windows hangs over a side of `size` cells."""
    pool = layer.pool
    return max(0, (windows - 1) * pool.s - pool.pad + pool.k - size) if pool else 0


def _tall(layer: Layer, height: int) -> int:
    """Rows that a band of `height` output rows has in the SRAM, surplus ones for windows that hang
    over the lower edge among them."""
    return height if layer.pool is None else (height - 1) * layer.pool.s + layer.pool.k


def _taps(axis: Axis, phase: int) -> int:
    return _up(axis.kernel - phase, axis.stride)


def _up_from(taps: int, most: int, window: int) -> int:
    """Tiles that a phase of `taps` taps reaches: aligned at the last tap, from `most` − taps."""
    return (most - 1) // window - (most - taps) // window + 1


@dataclass(frozen=True)
class Estimate:
    """Cycles of a mapping by what PEs do, were each alone: the network and FIFOs left out."""

    mapping: Mapping
    compute: int                # Σ over passes of the vectors of its busiest PE
    vectors: int                # Σ over passes and PEs
    load: int                   # beats of the weight words from memory
    drain: int                  # cycles of all drains of a PE
    paced: int                  # `compute`, row by row at least a cycle for each pixel replayed

    @property
    def exposed(self) -> int:
        """Of `drain`, what no next pass hides."""
        if self.mapping.sides == 1:
            return self.drain
        return max(self.drain - self.compute, self.drain // self.mapping.passes)

    @property
    def total(self) -> int:
        return self.paced + self.load + self.exposed + BETWEEN * self.mapping.passes


class Histogram:
    """Pixels of a plane [C, H, W] that fire, by convolution group, row and column."""

    def __init__(self, layer: Layer, plane: np.ndarray) -> None:
        groups = layer.groups
        fired = (plane != 0).reshape(groups, -1, layer.h, layer.w)
        self.counts = np.count_nonzero(fired, axis=1).astype(np.int64)      # [group, H, W]


def tiles_reached(axis: Axis, size: int, window: int, first: int, last: int) -> np.ndarray:
    """Tiles that each of `size` pixels of an axis reaches among outputs [first, last); 0: none."""
    reach = axis.reach(np.arange(size), first, last)
    flipped = axis.taps - 1 - reach.tap
    count = (flipped + reach.jump) // window - flipped // window + 1
    return np.where(reach.hit, count, 0)


def first_tile(axis: Axis, size: int, window: int, first: int, last: int) -> np.ndarray:
    """The first of those tiles."""
    tile: np.ndarray = (axis.taps - 1 - axis.reach(np.arange(size), first, last).tap) // window
    return tile


def estimate(mapping: Mapping, histogram: Histogram, storing: int = 0) -> Estimate:
    """Counts vectors, loaded words and drained sums of a mapping; `storing`: cycles that the
    storage PE needs for what the layer fires."""
    layer, lanes, config = mapping.layer, mapping.lanes, mapping.config
    geometry = Geometry.of(layer)
    across = tiles_reached(geometry.cols, layer.w, lanes.pc, 0, layer.wo)
    down = np.array([tiles_reached(geometry.rows, layer.h, lanes.pr, *band)
                     for band in mapping.bands])                        # [band, H]
    work = down[:, None] * (histogram.counts @ across)                  # [band, group, H]
    vectors = work.sum(axis=2)
    busiest = _busiest(_busiest(vectors, mapping.band_ways, 0), mapping.group_ways, 1)
    # Rows come one after the other, whatever band they are of; the groups' pixels of a row mixed.
    paced = np.maximum(
        mapping.block_groups * _busiest(_busiest(work, mapping.band_ways, 0),
                                        mapping.group_ways, 1),
        mapping.channel_passes * mapping.load_passes * _replayed(mapping, histogram)[:, None])
    blocks = _up(layer.k // layer.groups, lanes.kl)                     # groups of kl channels
    channels = layer.c // layer.groups * geometry.phases
    # Bands share weights and follow each other, so that each word comes once; but where the sums
    # wait for the weights of other input channels, every band needs all of them again.
    words = channels * lanes.tiles[0] * lanes.tiles[1] * blocks * layer.groups
    words *= mapping.band_passes if mapping.load_passes > 1 else 1
    load = _up(3 * words, flits_per_line(config)) * line_bits(config) // config.memory_bits
    drained = (mapping.band_passes * mapping.group_passes * mapping.block_groups * lanes.stretch
               * lanes.used)
    return Estimate(mapping, int(busiest.sum()) * mapping.block_groups, int(vectors.sum()) * blocks,
                    load, max(drained, storing), int(paced.sum()))


def _replayed(mapping: Mapping, histogram: Histogram) -> np.ndarray:
    """Pixels of each row, [pass over the bands, H]: 0 of rows that it does not read."""
    layer, rows = mapping.layer, np.arange(mapping.layer.h)
    out = []
    for first in range(0, len(mapping.bands), mapping.band_ways):
        own = mapping.bands[first:first + mapping.band_ways]
        start = own[0][0] * layer.stride - layer.pads[0]
        end = (own[-1][1] - 1) * layer.stride - layer.pads[0] + layer.r
        out.append((rows >= start) & (rows < end))
    return np.array(out) * histogram.counts.sum(axis=(0, 2))


def _busiest(work: np.ndarray, ways: int, axis: int) -> np.ndarray:
    """The largest of every `ways` neighbours along an axis: they run side by side."""
    return np.maximum.reduceat(work, np.arange(0, work.shape[axis], ways), axis)


def windows(config: MNFConfig, taps: tuple[int, int]) -> Iterator[tuple[int, int, int]]:
    """(pr, pc, kl) worth trying: no window larger than the sub-filter, as many channels as fit."""
    for pr in range(1, min(taps[0], config.max_window) + 1):
        for pc in range(1, min(taps[1], config.max_window) + 1):
            if pr * pc <= config.lanes:
                yield pr, pc, config.lanes // (pr * pc)


def mappings(layer: Layer, config: MNFConfig,
             only: tuple[int, int, int] | None = None) -> Iterator[Mapping]:
    """Every mapping that `search` compares, or those of one window: each fits the SRAMs."""
    geometry = Geometry.of(layer)
    for pr, pc, kl in [only] if only else windows(config, geometry.taps):
        kl = min(kl, layer.k // layer.groups)
        if layer.pool:
            kl = min(kl, config.pool_words // layer.out_w)
        if not kl:
            continue
        pitch = smallest_pitch(layer.wo + hang(layer, layer.out_w, layer.wo), pr, pc)
        for group_ways in _ways(layer.groups, config.pes):
            for band_ways in range(1, config.pes // group_ways + 1):
                channel_ways = config.pes // (group_ways * band_ways)
                block = _up(_up(layer.k // layer.groups, kl), channel_ways)
                for height in _heights(layer.out_h, band_ways):
                    stretch = _up(_tall(layer, height) * pitch, pr * pc)
                    one = LaneMap(pr=pr, pc=pc, kl=kl, pitch=pitch, taps=geometry.taps,
                                  stretch=stretch)
                    for sides in (1, 2):
                        found = _fit(layer, config, geometry, one, block, sides)
                        if found:
                            yield Mapping(layer=layer, config=config, lanes=found[0],
                                          height=height, band_ways=band_ways,
                                          channel_ways=channel_ways, group_ways=group_ways,
                                          block_groups=block, channels=found[1], sides=sides)


def _ways(count: int, most: int) -> list[int]:
    """Side by side: one, as many as there are or fit."""
    return sorted({1, min(count, most)})


def _heights(rows: int, ways: int) -> list[int]:
    """Band heights that fill a whole number of passes of `ways` bands."""
    return sorted({_up(rows, ways * passes) for passes in range(1, rows + 1)})


def _fit(layer: Layer, config: MNFConfig, geometry: Geometry, one: LaneMap,
         block: int, sides: int) -> tuple[LaneMap, int] | None:
    """As many groups, and input channels, at a time as the SRAMs (a side of them) hold; None if
    not even one.

    Groups are dealt evenly over the passes that they need.
    """
    channels = geometry.channels
    most = config.acc_entries // sides // one.stretch
    if not most or one.tiles[0] * one.tiles[1] * geometry.phases > config.weight_words:
        return None
    lists = one.tiles[0] * one.tiles[1] * geometry.phases       # of an input channel
    room = config.weight_words // lists
    if config.weight_sparse:
        channels = min(channels, config.pointer_words // lists)
        most = min(most, 1 << config.weight_offset_bits)
    most = min(most, max(1, room // max(1, channels)), config.bias_words // one.kl)
    if not most or not channels:
        return None
    groups = _up(block, _up(block, most))
    return replace(one, groups=groups), min(channels, room // groups)


def search(layer: Layer, plane: np.ndarray, config: MNFConfig, storing: int = 0) -> Estimate:
    """The mapping with the fewest estimated cycles; with the fewest passes among equals.

    `storing` as in `estimate`. ValueError as `candidates`.
    """
    return candidates(layer, plane, config, storing, 1)[0]


def candidates(layer: Layer, plane: np.ndarray, config: MNFConfig, storing: int,
               count: int) -> list[Estimate]:
    """The best `count` mappings, the best first.

    ValueError if no mapping fits, or a field of the hardware does not hold what it must.
    """
    check(layer, config)
    histogram, geometry = Histogram(layer, plane), Geometry.of(layer)
    best: list[Estimate] = []
    whole = {window: _whole(layer, histogram, geometry, window)
             for window in windows(config, geometry.taps)}
    for window in sorted(whole, key=lambda w: whole[w] / w[2]):
        for mapping in mappings(layer, config, window):
            # Bands only add to it, and no way of dealing is better than an even one.
            least = whole[window] * mapping.block_groups // (
                mapping.band_ways * mapping.group_ways)
            if len(best) == count and least > best[-1].total:
                continue
            best.append(estimate(mapping, histogram, storing))
            best = sorted(best, key=lambda one: (one.total, one.mapping.passes))[:count]
    if not best:
        raise ValueError(f"{layer.name}: a row of {layer.wo} outputs must fit the "
                         f"{config.neurons} neurons of a PE, and the sub-filters of a channel its "
                         f"{config.weights} weights")
    return best


def _whole(layer: Layer, histogram: Histogram, geometry: Geometry,
           window: tuple[int, int, int]) -> int:
    """Vectors of all convolution groups for one group of kl channels, without bands."""
    across = tiles_reached(geometry.cols, layer.w, window[1], 0, layer.wo)
    return int(((histogram.counts @ across)
                @ tiles_reached(geometry.rows, layer.h, window[0],
                              *conv_rows(layer, 0, layer.out_h))).sum())
