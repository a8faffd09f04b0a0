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
