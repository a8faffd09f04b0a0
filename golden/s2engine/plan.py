"""How a layer is cut into passes, and what the buffers must hold for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from golden.s2engine.masks import masks, tokens
from golden.s2engine.stage import Stage, deal
from hw.common.stationary.config import StationaryConfig


@dataclass(frozen=True, eq=False)
class Plan:
    """One pass: all pixels of an image × the kernels [first, last) of one convolution group."""

    stage: Stage
    config: StationaryConfig
    image: int
    part: int           # convolution group
    first: int          # kernels, counted over all convolution groups
    last: int

    @cached_property
    def pixel_tiles(self) -> list[tuple[int, int]]:
        return deal(self.stage.pixels, -(-self.stage.pixels // self.config.rows))

    @cached_property
    def kernel_tiles(self) -> list[tuple[int, int]]:
        """(first, number), counted from `first` of the pass."""
        kernels = self.last - self.first
        return deal(kernels, -(-kernels // self.config.cols))

    @cached_property
    def groups(self) -> int:
        """Groups of a kernel."""
        return self.stage.kernels(self.config.group).shape[1]

    @cached_property
    def term_sizes(self) -> np.ndarray | None:
        """For the naive array: channels of each group of a kernel."""
        return term_sizes(self.stage, self.config)

    @cached_property
    def weight_masks(self) -> np.ndarray:
        """int64 [kernels, groups, MASKS]"""
        return masks(self.stage.kernels(self.config.group)[self.first:self.last], self.term_sizes)

    @cached_property
    def feature_masks(self) -> np.ndarray:
        """int64 [channel groups, Hp, Wp, MASKS]"""
        sizes = self.stage.group_sizes(self.config.group)[:, None, None]
        return masks(self.stage.features(self.image, self.part, self.config.group),
                     sizes if self.config.naive else None)

    @cached_property
    def column_tokens(self) -> np.ndarray:
        """Tokens of the block in each column's bank of WB: int64 [cols]."""
        return _column_tokens(tokens(self.weight_masks).sum(axis=1), self.config.cols,
                              self.groups if self.term_sizes is None else self.term_sizes.sum())

    @cached_property
    def pixel_tokens(self) -> tuple[np.ndarray, np.ndarray]:
        """Tokens that an output pixel's row reads from FB: of all kernel columns, and of the first
        of each residue (where the others come down the chain of CEs): int64 [pixels]."""
        shape = self.stage.shape
        plane = tokens(self.feature_masks).sum(axis=0)
        lines = np.sum([plane[r:r + (shape.ho - 1) * shape.stride + 1:shape.stride]
                        for r in range(shape.r)], axis=0)
        each = [lines[:, c:c + (shape.wo - 1) * shape.stride + 1:shape.stride]
                for c in range(shape.s)]
        return np.sum(each, axis=0).reshape(-1), np.sum(each[:shape.stride], axis=0).reshape(-1)

    @cached_property
    def line_tokens(self) -> int:
        """The most tokens of a kernel row's groups, of one channel group: what a bank of FB holds
        at least, so that the rows can wait for each other."""
        shape = self.stage.shape
        plane = tokens(self.feature_masks)
        each = [plane[:, :, c:c + (shape.wo - 1) * shape.stride + 1:shape.stride]
                for c in range(shape.s)]
        return int(np.sum(each, axis=0).max())

    def row_tokens(self, tile: int, ce: bool = True) -> np.ndarray:
        """Tokens of a pixel tile's section in each row's bank of FB: int64 [pixels of the tile]."""
        first, number = self.pixel_tiles[tile]
        all_of_them, chained = (a[first:first + number] for a in self.pixel_tokens)
        ends = (np.arange(first, first + number) + 1) % self.stage.shape.wo == 0
        ends[-1] = True
        return np.where(ends, all_of_them, chained) if ce else all_of_them


def term_sizes(stage: Stage, config: StationaryConfig) -> np.ndarray | None:
    """See `Plan.term_sizes`."""
    return np.repeat(stage.group_sizes(config.group), stage.shape.r * stage.shape.s) \
        if config.naive else None


def _column_tokens(kernels: np.ndarray, cols: int, empty: int) -> np.ndarray:
    """Tokens per column of kernels with so many tokens each; `empty`: where there is no kernel."""
    out = np.zeros(cols, np.int64)
    for first, number in deal(len(kernels), -(-len(kernels) // cols)):
        out[:number] += kernels[first:first + number]
        out[number:] += empty
    return out


def passes(stage: Stage, config: StationaryConfig) -> list[Plan]:
    """The passes of a layer, image by image, convolution group by convolution group.

    Raises ValueError where not even one kernel tile, and not the features of a tile either, fit.
    """
    per_part = stage.shape.k // stage.shape.groups
    most = _most_kernels(stage, config)
    sizes = term_sizes(stage, config)
    each = tokens(masks(stage.kernels(config.group), sizes)).sum(axis=1)
    empty = stage.kernels(config.group).shape[1] if sizes is None else int(sizes.sum())
    cuts: list[tuple[int, int, int]] = []
    for part in range(stage.shape.groups):
        at, end = part * per_part, (part + 1) * per_part
        while at < end:
            size = _block(each[at:end], empty, config, most)
            cuts.append((part, at, at + size))
            at += size
    return [Plan(stage, config, image, part, first, last)
            for image in range(len(stage.inputs)) for part, first, last in cuts]


def _most_kernels(stage: Stage, config: StationaryConfig) -> int:
    """Kernels of a pass at most: `max_kernels`, and those whose pooling windows fit the buffer."""
    pool = stage.layer.pool
    if pool is None:
        return config.max_kernels
    cells = pool.k * stage.shape.wo
    if cells > config.pool_groups:
        raise ValueError(f"{stage.layer.name}: {pool.k} output lines of {stage.shape.wo} pixels "
                         f"must fit pool_groups ({config.pool_groups}) for pooling")
    return min(config.max_kernels, config.pool_groups // cells * config.group)


def _block(kernels: np.ndarray, empty: int, config: StationaryConfig, most: int) -> int:
    """How many of these kernels the next pass takes: all that fit WB, `most`."""
    def fits(size: int) -> bool:
        return size <= most and int(
            _column_tokens(kernels[:size], config.cols, empty).max()) <= config.wb_tokens
    if fits(len(kernels)):
        return len(kernels)
    step = int(np.lcm(config.cols, config.group))
    if step > most:             # whole groups at least, so that stored groups are whole
        step = max(most // config.group, 1) * config.group
    sizes = [size for size in range(step, len(kernels), step) if fits(size)]
    # Where not even one tile fits, WB is a stream and its size does not matter.
    return sizes[-1] if sizes else min(step, len(kernels))
