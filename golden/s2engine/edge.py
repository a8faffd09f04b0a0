"""Cycle-exact model of an edge, for lockstep comparison (see `golden.streams`)."""
from collections.abc import Iterator
from typing import NamedTuple

from golden import numeric
from golden.s2engine.tokens import wrap
from hw.common.stationary.config import StationaryConfig


class EdgeLayer(NamedTuple):
    """What an edge knows of its pass, as the fields of the descriptor."""

    tile_pixels: int
    tile_more: int
    kernel_tiles: int
    tile_kernels: int
    kernels_more: int
    multiplier: int
    shift: int
    out_bits: int
    relu: int


class Place(NamedTuple):
    """What a sum is: a kernel of a pixel, and whether its group ends there."""

    kernel: int
    close: bool


def places(layer: EdgeLayer, config: StationaryConfig, row: int) -> Iterator[Place | None]:
    """Of each sum of a row its place, or None if it is dropped; without end."""
    kernels = layer.kernel_tiles * layer.tile_kernels + layer.kernels_more
    tile = 0
    while True:
        there = row < layer.tile_pixels + (tile < layer.tile_more)
        kernel = 0
        for number in range(layer.kernel_tiles):
            width = layer.tile_kernels + (number < layer.kernels_more)
            for column in range(config.cols):
                if column >= width:
                    yield None
                    continue
                close = kernel % config.group == config.group - 1 or kernel == kernels - 1
                yield Place(kernel, close) if there else None
                kernel += 1
        tile += 1


def quantise(total: int, layer: EdgeLayer) -> int:
    """The output of a sum with its bias."""
    value = int(numeric.requantise(total, layer.multiplier, layer.shift, layer.out_bits))
    return max(value, 0) if layer.relu else value


class Edge:
    """Five stages and a group that fills. Words are (value, tail) and tuples of values."""

    inputs, outputs = ("i",), ("o",)

    def __init__(self, layer, config, row, biases):
        self.layer, self.config, self.row, self.biases = layer, config, row, biases
        self.reset()

    def reset(self):
        self.places = places(self.layer, self.config, self.row)
        self.taken = 0                  # sums
        self.stages = [None] * 5        # (place, output)
        self.group = [0] * self.config.group
        self.full = False
        self.out = None

    def _advance(self, ready):
        return not self.full or self.out is None or ready["o"]

    def look(self, offered, ready):
        return {"i": self._advance(ready)}, {"o": self.out}, {
            "tile": self.taken // (self.config.cols * self.layer.kernel_tiles)}

    def step(self, offered, ready):
        advance = self._advance(ready)
        if ready["o"]:
            self.out = None
        if not advance:
            return
        if self.full:
            self.out, self.group = tuple(self.group), [0] * self.config.group
        last = self.stages.pop()
        self.full = last is not None and last[0].close
        if last is not None:
            self.group[last[0].kernel % self.config.group] = last[1]
        entry = None
        if offered["i"] is not None:
            place = next(self.places)
            self.taken += 1
            if place is not None:
                total = wrap(offered["i"][0] + self.biases[place.kernel], self.config.acc_bits)
                entry = place, quantise(total, self.layer)
        self.stages.insert(0, entry)
