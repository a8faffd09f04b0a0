"""Events: pixels to events for a consumer's geometry, and the paper's two algorithms.

Ref: Yu et al., "Multiply-and-Fire", Section 4.1, Algorithms 1 and 2, Figs 3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from golden.mnf.geometry import Geometry

FIELDS = ("value", "channel", "tap_row", "tap_col", "neuron", "y_jump", "x_jump")


@dataclass(frozen=True)
class Event:
    """One event (README, *Events and packets*)."""

    value: int
    channel: int
    tap_row: int
    tap_col: int
    neuron: int
    y_jump: int
    x_jump: int


@dataclass(frozen=True)
class Pixels:
    """A map as it is stored: the pixels that fired, whoever reads them."""

    value: np.ndarray
    channel: np.ndarray
    y: np.ndarray
    x: np.ndarray

    @classmethod
    def of(cls, plane: np.ndarray, threshold: int = 0, relu: bool = False) -> Pixels:
        """The pixels of a plane [C, H, W] that fire: above the threshold, with a ReLU; beyond it
        on either side, without. In order of channel, row, column."""
        fires = plane > threshold if relu else np.abs(plane) > threshold
        channel, y, x = np.nonzero(fires)
        return cls(plane[channel, y, x].astype(np.int64), channel, y, x)

    def __len__(self) -> int:
        return len(self.value)

    def channels(self, first: int, last: int) -> Pixels:
        """Those of channels [first, last), counted from `first`."""
        own = (self.channel >= first) & (self.channel < last)
        return Pixels(self.value[own], self.channel[own] - first, self.y[own], self.x[own])


def generate(pixels: Pixels, geometry: Geometry, band: tuple[int, int], pitch: int) -> np.ndarray:
    """The events that a band of output rows [first, last) gets: int64 [N, 7], columns as FIELDS.

    In the order of the pixels. One that reaches no output of the band fires none.
    """
    rows, cols = geometry.rows, geometry.cols
    y = rows.reach(pixels.y, *band)
    x = cols.reach(pixels.x, 0, cols.out)
    phase = rows.phase(pixels.y) * cols.phases + cols.phase(pixels.x)
    out = np.stack([pixels.value, pixels.channel * geometry.phases + phase, y.tap, x.tap,
                    (y.first - band[0]) * pitch + x.first, y.jump, x.jump], axis=1)
    return out[y.hit & x.hit].astype(np.int64)


@dataclass(frozen=True)
class Target:
    """PEs that get the same events: a band and a part of the channels, both [first, last)."""

    dest: int                   # a bit per node of the mesh
    band: tuple[int, int]
    channels: tuple[int, int]


def generate_all(pixels: Pixels, geometry: Geometry, targets: list[Target],
                 pitch: int) -> tuple[np.ndarray, np.ndarray]:
    """The events of all targets, pixel by pixel: their destinations [N], and as `generate`'s."""
    found = []
    for n, target in enumerate(targets):
        first, last = target.channels
        own = np.flatnonzero((pixels.channel >= first) & (pixels.channel < last)
                             & _reaches(pixels, geometry, target.band))
        part = Pixels(pixels.value[own], pixels.channel[own] - first, pixels.y[own], pixels.x[own])
        for pixel, row in zip(own, generate(part, geometry, target.band, pitch), strict=True):
            found.append((pixel, n, target.dest, row))
    found.sort(key=lambda one: one[:2])
    return (np.array([dest for _, _, dest, _ in found], np.int64),
            np.array([row for *_, row in found], np.int64).reshape(-1, len(FIELDS)))


def _reaches(pixels: Pixels, geometry: Geometry, band: tuple[int, int]) -> np.ndarray:
    return (geometry.rows.reach(pixels.y, *band).hit
            & geometry.cols.reach(pixels.x, 0, geometry.cols.out).hit)


def algorithm_1(event: Event, nc_filter: int, nc_output: int,
                stride: int = 1) -> Iterator[tuple[int, int]]:
    """The (weight address, neuron address) pairs of a conv event, as the paper prints its loops.

    nc_filter, nc_output: columns of the filter and of the output map (the pitch).
    """
    start_weight = event.tap_row * nc_filter + event.tap_col
    neuron, weight = event.neuron, start_weight
    for y in range(event.y_jump + 1):
        for _ in range(event.x_jump + 1):
            yield weight, neuron
            neuron += 1
            weight -= stride
        weight = start_weight - nc_filter * (y + 1) * stride
        neuron = event.neuron + nc_output * (y + 1)


def algorithm_2(neuron: int, num_neurons: int) -> Iterator[tuple[int, int]]:
    """The (weight address, neuron address) pairs of an FC event: row `neuron` of the weights."""
    for n in range(num_neurons):
        yield neuron * num_neurons + n, n
