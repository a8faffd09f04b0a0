"""What `compile` gives: passes, and the memory image that says the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from golden.layers import Layer
from golden.mnf import image
from golden.mnf.events import Pixels
from golden.mnf.image import Block
from golden.mnf.mapping import Mapping
from golden.mnf.passes import Share
from golden.program import Segment as AnySegment
from hw.mnf import fields
from hw.mnf.config import MNFConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class Pass:
    """One descriptor."""

    layer: Layer                    # as the caller gave it
    reads: Layer                    # as the machine runs it: an FC layer may read a plane
    index: int                      # of the layer in the caller's list
    mapping: Mapping
    shares: list[Share]             # of PE 0, 1, …
    blocks: tuple[Block, ...]       # the flits of SETUP
    order: np.ndarray               # int64 [lines, 2]: block and its line, as they lie in memory
    plane: np.ndarray               # [C, H, W] that it reads
    weights: np.ndarray             # [K, C/groups, R, S] of `reads`
    pixels: Pixels                  # of the whole map, as it lies in memory; none if on chip
    outputs: np.ndarray             # [K, rows, cols] that golden expects
    descriptor: dict[str, Any] = field(repr=False)
    stored: tuple[int, int] | None = None

    @property
    def lines(self) -> int:
        return len(self.order)

    def flits(self, config: MNFConfig) -> np.ndarray:
        """Of each line of SETUP, int64 [lines, 3]: kind, dest, count."""
        if not self.lines:
            return np.zeros((0, 3), np.int64)
        counts = [block.counts(config) for block in self.blocks]
        heads = np.array([(int(block.kind), block.dest) for block in self.blocks], np.int64)
        start = np.cumsum([0, *map(len, counts)])
        own = np.concatenate(counts)[start[self.order[:, 0]] + self.order[:, 1]]
        return np.column_stack([heads[self.order[:, 0]], own])

    def setup(self, config: MNFConfig) -> np.ndarray:
        """The lines of SETUP, uint8 [lines, line bytes]."""
        parts = [block.lines(config) for block in self.blocks]
        start = np.cumsum([0, *map(len, parts)])
        whole: np.ndarray = np.concatenate(parts)[start[self.order[:, 0]] + self.order[:, 1]]
        return whole


Segment = AnySegment[Pass]


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """A list of layers for MNF, in one segment; its image is made when it is asked for."""

    config: MNFConfig
    base: int
    desc_addr: int
    size: int                       # of the image in bytes
    passes: tuple[Pass, ...]
    layers: tuple[Layer, ...]
    resident: bool                  # weights are taken to be there: for the model alone

    @property
    def shifts(self) -> tuple[int | None, ...]:
        return tuple(layer.shift for layer in self.layers)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        return (AnySegment(image=self._image(), base=self.base, desc_addr=self.desc_addr,
                           passes=self.passes),)

    @property
    def image(self) -> bytes:
        return self.segments[0].image

    @property
    def desc_count(self) -> int:
        return len(self.passes)

    def _image(self) -> bytes:
        if self.resident:
            raise ValueError("a program without weights is for the model alone")
        out, config = np.zeros(self.size, np.uint8), self.config

        def place(at: int, lines: np.ndarray) -> None:
            flat = lines.reshape(-1)
            out[at - self.base:at - self.base + len(flat)] = flat

        step = image.descriptor_bytes(config)
        mapped: set[int] = set()
        for n, one in enumerate(self.passes):
            place(self.desc_addr + n * step, np.frombuffer(
                image.pack_descriptor(config, one.descriptor), np.uint8))
            if one.lines:
                place(one.descriptor["setup_addr"], one.setup(config))
            if one.index not in mapped and len(one.pixels):
                mapped.add(one.index)
                place(map_start(one, config), image.pixel_lines(config, one.pixels))
        return out.tobytes()


def map_start(one: Pass, config: MNFConfig) -> int:
    """Address of the map that a pass reads its lines of."""
    first, _ = map_range(one.pixels, (one.descriptor["first_row"], one.descriptor["last_row"]),
                         config)
    at: int = one.descriptor["map_addr"] - first * fields.line_bits(config) // 8
    return at


def map_range(pixels: Pixels, rows: tuple[int, int], config: MNFConfig) -> tuple[int, int]:
    """Lines [first, last) of a map, whose pixels ascend in rows, that hold rows first to last."""
    most = fields.pixels_per_line(config)
    first, last = np.searchsorted(pixels.y, [rows[0], rows[1] + 1])
    return int(first) // most, max(-(-int(last) // most), int(first) // most)

