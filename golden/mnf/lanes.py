"""Where weights and sums lie: lanes, banks, words (hw/mnf/README.md, *Lane map*)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from golden.mnf.events import Event


def smallest_pitch(width: int, pr: int, pc: int) -> int:
    """The smallest pitch ≥ `width` at which windows of pr × pc are free of bank conflicts."""
    pitch = width
    while pr > 1 and (pitch % pc or math.gcd(pitch // pc, pr) != 1):
        pitch += 1
    return pitch


@dataclass(frozen=True)
class Vector:
    """What the load module gives for one word of weights.

    The window's origin is neuron ``entry · positions + rotation`` (entry may be negative for an
    origin outside the band); `rows` and `cols` are masks of the window's rows and columns.
    """

    weight: int
    entry: int
    rotation: int
    rows: int
    cols: int


@dataclass(frozen=True, kw_only=True)
class LaneMap:
    """A window of pr × pc positions by kl output channels over the lanes of a PE."""

    pr: int
    pc: int
    kl: int
    pitch: int
    taps: tuple[int, int]       # rows and columns of the (largest) sub-filter
    groups: int = 1             # of kl output channels
    stretch: int = 1            # entries per group (E)

    @property
    def positions(self) -> int:
        return self.pr * self.pc

    @property
    def used(self) -> int:
        """Lanes that have a slot."""
        return self.positions * self.kl

    @property
    def tiles(self) -> tuple[int, int]:
        return -(-self.taps[0] // self.pr), -(-self.taps[1] // self.pc)

    @property
    def words(self) -> int:
        """Words of a channel."""
        return self.groups * self.tiles[0] * self.tiles[1]

    @cached_property
    def slots(self) -> list[tuple[int, int]]:
        """(row, column) of the window at each distance d from its origin's bank."""
        turn = self.pitch // self.pc % self.pr
        rows = {turn * i % self.pr: i for i in range(self.pr)}
        return [(rows[d // self.pc], d % self.pc) for d in range(self.positions)]

    @cached_property
    def steps(self) -> list[int]:
        """Entries from the origin's to that of a slot in the same turn of the ring."""
        return [row * self.pitch // self.positions for row, _ in self.slots]

    def place(self, neuron: int, k: int) -> tuple[int, int]:
        """(bank, entry) of output channel k of the PE at a neuron."""
        return (neuron % self.positions * self.kl + k % self.kl,
                k // self.kl * self.stretch + neuron // self.positions)

    def pack(self, filters: np.ndarray, lanes: int) -> np.ndarray:
        """Words [channels · words, lanes] of sub-filters [K, channels, rows, cols]."""
        k, channels = filters.shape[:2]
        across, down = self.tiles[1], self.tiles[0]
        padded = np.zeros((self.groups * self.kl, channels, down * self.pr, across * self.pc),
                          filters.dtype)
        # Flipped, so that tiles are aligned at the last tap.
        padded[:k, :, :self.taps[0], :self.taps[1]] = filters[:, :, ::-1, ::-1]
        out = np.zeros((channels, self.groups, down * across, lanes), filters.dtype)
        for tile in range(down * across):
            a, b = divmod(tile, across)
            for d, (i, j) in enumerate(self.slots):
                part = padded[:, :, a * self.pr + i, b * self.pc + j]
                out[:, :, down * across - 1 - tile, d * self.kl:(d + 1) * self.kl] = (
                    part.reshape(self.groups, self.kl, channels).transpose(2, 0, 1))
        return out.reshape(channels * self.words, lanes)

    def vectors(self, event: Event) -> Iterator[Vector]:
        """What the load module makes of an event, a word of weights per vector, in its order."""
        across = self.tiles[1]
        total = self.tiles[0] * across
        fr, fc = self.taps[0] - 1 - event.tap_row, self.taps[1] - 1 - event.tap_col
        for g in range(self.groups):
            for a in range(fr // self.pr, (fr + event.y_jump) // self.pr + 1):
                for b in range(fc // self.pc, (fc + event.x_jump) // self.pc + 1):
                    origin = (event.neuron + (a * self.pr - fr) * self.pitch
                              + b * self.pc - fc)
                    entry, rotation = divmod(origin, self.positions)
                    yield Vector(
                        (event.channel * self.groups + g) * total + total - 1 - a * across - b,
                        entry + g * self.stretch, rotation,
                        _mask(fr - a * self.pr, event.y_jump, self.pr),
                        _mask(fc - b * self.pc, event.x_jump, self.pc))

    def targets(self, vector: Vector) -> Iterator[tuple[int, int, int]]:
        """What the dispatcher makes of a vector: (slot, bank, entry) of every lane that works."""
        for d, (row, col) in enumerate(self.slots):
            if vector.rows >> row & vector.cols >> col & 1:
                wrapped, bank = divmod(vector.rotation + d, self.positions)
                for kk in range(self.kl):
                    yield (d * self.kl + kk, bank * self.kl + kk,
                           vector.entry + self.steps[d] + wrapped)


def _mask(first: int, jump: int, size: int) -> int:
    """Bits of [first, first + jump] within [0, size)."""
    return sum(1 << n for n in range(size) if first <= n <= first + jump)
