"""From passes to what the hardware is given: program(work) -> Program, an image and descriptors.

Layers that can read what the layer before stored share a segment; another one begins with the
features in its image (README, *Chaining*).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from golden import program as common
from golden.layers import Layer
from golden.program import Image, Segment
from golden.s2engine import layout
from golden.s2engine.compile import Work
from golden.s2engine.plan import Plan
from golden.s2engine.stage import Stage, group_sizes
from hw.common.stationary.config import StationaryConfig

POOLS = {None: 0, "max": 1, "avg": 2}


@dataclass(frozen=True, eq=False)
class LayerPass:
    """One descriptor."""

    plan: Plan
    descriptor: dict[str, int]
    stored: tuple[int, int]             # [first byte, end) of the region that its layer writes

    @property
    def layer(self) -> Layer:
        return self.plan.stage.layer

    @property
    def index(self) -> int:
        return self.plan.stage.index


Program = common.Program[StationaryConfig, LayerPass]


@dataclass(frozen=True)
class Plane:
    """Features in memory: lines of `channel groups × height × stride × positions` groups."""

    groups: int
    height: int
    width: int
    stride: int
    slots: int

    @property
    def positions(self) -> int:
        """Q: positions of a line in one residue."""
        return -(-self.width // self.stride)

    @property
    def residue_lines(self) -> int:
        return self.positions * self.slots

    @property
    def row_lines(self) -> int:
        return self.stride * self.residue_lines

    @property
    def group_lines(self) -> int:
        return self.height * self.row_lines

    def pack(self, features: np.ndarray, config: StationaryConfig, sizes: np.ndarray) -> bytes:
        """Lines of dense groups ``[groups, height, width, group]`` of `sizes` channels [groups]."""
        many, height, width, group = features.shape
        wide = np.zeros((many, height, self.positions * self.stride, group), np.int64)
        wide[:, :, :width] = features
        order = wide.reshape(many, height, self.positions, self.stride, group)
        flat = order.transpose(0, 1, 3, 2, 4).reshape(-1, group)
        each = np.repeat(sizes, len(flat) // many)
        return layout.feature_lines(flat, self.slots, config, each).tobytes()

    def unpack(self, data: np.ndarray, config: StationaryConfig) -> np.ndarray:
        """The reverse of `pack`: int64 ``[groups, height, width, group]``."""
        flat = layout.features(data, self.slots, config)
        order = flat.reshape(self.groups, self.height, self.stride, self.positions, config.group)
        wide = order.transpose(0, 1, 3, 2, 4).reshape(
            self.groups, self.height, self.positions * self.stride, config.group)
        return wide[:, :, :self.width]


def chains(producer: Stage, consumer: Stage, config: StationaryConfig) -> bool:
    """The consumer can read what the producer stores."""
    def whole(stage: Stage, channels: int) -> bool:
        return stage.shape.groups == 1 or channels % config.group == 0
    shape = consumer.shape
    return (shape.stride == 1 and shape.batch == producer.shape.batch
            and producer.outputs[0].shape == consumer.inputs[0].shape
            and whole(producer, producer.shape.k // producer.shape.groups)
            and whole(consumer, shape.c // shape.groups))


def program(work: Work, base: int = 0, ce: bool = True) -> Program:
    """The program of `work`. `base`: address of each image; without `ce` rows share no groups.

    Raises ValueError naming the layer.
    """
    stages, parts = work.stages, []
    cuts = [0] + [n for n in range(1, len(stages)) if not work.chain
                  or not chains(stages[n - 1], stages[n], work.config)] + [len(stages)]
    for first, last in pairwise(cuts):
        mine = [p for p in work.passes if first <= p.stage.index < last]
        parts.append(_Builder(work.config, base, ce).segment(mine))
    return Program(config=work.config, segments=tuple(parts), layers=work.layers,
                   images=len(stages[0].inputs))


@dataclass
class _Builder:
    """Lays out one segment: descriptors, then what they need, shared if equal."""

    config: StationaryConfig
    base: int
    ce: bool
    shared: dict[tuple[Any, ...], int] = field(default_factory=dict)
    stores: dict[tuple[int, int], tuple[Plane, int, int]] = field(default_factory=dict)

    def segment(self, plans: Sequence[Plan]) -> Segment[LayerPass]:
        # Image by image, so that what a layer stores is there before the next one loads it.
        plans = sorted(plans, key=lambda p: (p.image, p.stage.index))
        size = layout.descriptor_bytes(self.config)
        self.image = Image(self.base, self.config.memory_bits, self.config.addr_bits)
        where = self.image.append(bytes(size * len(plans)))
        stages = [next(g) for _, g in groupby(plans, key=lambda p: (p.image, p.stage.index))]
        for n, one in enumerate(stages):
            follows = n + 1 < len(stages) and stages[n + 1].image == one.image
            self._store(one, stages[n + 1].stage if follows else None)
        passes = [self._pass(plan) for plan in plans]
        data = self.image.whole()
        for n, made in enumerate(passes):
            try:
                record = layout.pack_descriptor(made.descriptor, self.config)
            except ValueError as error:
                raise ValueError(f"{made.layer.name}: {error}") from None
            data[where - self.base + n * size:where - self.base + (n + 1) * size] = record
        return Segment(image=bytes(data), base=self.base, desc_addr=where, passes=tuple(passes))

    def _once(self, key: tuple[Any, ...], make: Any) -> int:
        if key not in self.shared:
            self.shared[key] = self.image.append(make())
        return self.shared[key]

    def _store(self, plan: Plan, consumer: Stage | None) -> None:
        """The region of a layer's outputs: the consumer's padding is there from the start."""
        stage, config = plan.stage, self.config
        k, height, width = stage.outputs[plan.image].shape
        top, bottom, left, right = consumer.shape.pads if consumer else (0, 0, 0, 0)
        sizes = group_sizes(k // stage.shape.groups, config.group)
        slots = 1 + (stage.layer.out_bits > 8)
        plane = Plane(stage.shape.groups * len(sizes), height + top + bottom, width + left + right,
                      1, slots)
        empty = np.zeros((plane.groups, plane.height, plane.width, config.group), np.int64)
        at = self.image.append(plane.pack(empty, config, np.tile(sizes, stage.shape.groups)))
        inside = (top * plane.width + left) * slots
        self.stores[plan.image, stage.index] = plane, at, at + inside * config.line_bits // 8

    def _features(self, plan: Plan) -> tuple[Plane, int]:
        """Where the pass's features lie: what the layer before stored, or in the image."""
        stage, config = plan.stage, self.config
        line = config.line_bits // 8
        before = self.stores.get((plan.image, stage.index - 1))
        many = stage.channel_groups(config.group)
        if before:
            plane, at, _ = before
            return plane, at + plan.part * many * plane.group_lines * line
        dense = stage.features(plan.image, plan.part, config.group)
        plane = Plane(many, dense.shape[1], dense.shape[2], stage.shape.stride,
                      layout.slots(dense))
        return plane, self._once(("features", plan.image, stage.index, plan.part),
                                 lambda: plane.pack(dense, config,
                                                    stage.group_sizes(config.group)))

    def _pass(self, plan: Plan) -> LayerPass:
        stage, config, shape = plan.stage, self.config, plan.stage.shape
        key = stage.index, plan.first, plan.last
        kernels = stage.kernels(config.group)[plan.first:plan.last]
        sizes = np.repeat(stage.group_sizes(config.group), shape.r * shape.s)
        weights = layout.weight_lines(kernels, config, sizes)
        bias = layout.bias_lines(stage.bias[plan.first:plan.last], config)
        plane, features = self._features(plan)
        store, begin, inside = self.stores[plan.image, stage.index]
        line = config.line_bits // 8
        per_part = shape.k // shape.groups
        group = plan.part * -(-per_part // config.group) + (
            plan.first - plan.part * per_part) // config.group
        pool = stage.layer.pool
        fields = {
            "bias_addr": self._once(("bias", *key), bias.tobytes), "bias_lines": len(bias),
            "weight_addr": self._once(("weights", *key), weights.tobytes),
            "weight_lines": len(weights), "feature_addr": features,
            "group_lines": plane.group_lines, "row_lines": plane.row_lines,
            "residue_lines": plane.residue_lines, "slots": plane.slots,
            "store_addr": inside + group * store.group_lines * line,
            "store_group_lines": store.group_lines, "store_row_lines": store.row_lines,
            "store_slots": store.slots,
            "channel_groups": stage.channel_groups(config.group), "kernel_rows": shape.r,
            "kernel_cols": shape.s, "stride": shape.stride, "groups": plan.groups,
            "ce": int(self.ce),
            "relu": int(stage.layer.relu), "shift": stage.layer.shift,
            "out_bits": stage.layer.out_bits, "multiplier": stage.layer.multiplier,
            "pool": POOLS[pool.kind if pool else None], "out_rows": shape.ho,
            "pooled_rows": stage.outputs[plan.image].shape[1],
            "pooled_cols": stage.outputs[plan.image].shape[2],
        }
        if pool:
            fields |= {"pool_k": pool.k, "pool_stride": pool.s, "pool_pad": pool.pad,
                       "pool_area": pool.k * pool.k, "pool_cells": pool.k * shape.wo,
                       "pool_step": pool.s % pool.k * shape.wo,
                       "pool_first": -pool.pad % pool.k * shape.wo}
        end = begin + store.groups * store.group_lines * line
        return LayerPass(plan, fields | _tiles(plan) | _replays(plan, self.ce), (begin, end))


def _tiles(plan: Plan) -> dict[str, int]:
    pixels, kernels = plan.stage.pixels, plan.last - plan.first
    across, down = len(plan.pixel_tiles), len(plan.kernel_tiles)
    return {"pixels": pixels, "line_pixels": plan.stage.shape.wo, "tiles": across,
            "tile_pixels": pixels // across, "tile_more": pixels % across,
            "kernels": kernels, "kernel_tiles": down, "tile_kernels": kernels // down,
            "kernels_more": kernels % down}


def _replays(plan: Plan, ce: bool) -> dict[str, int]:
    """What is loaded how often. Raises ValueError where neither flow fits its bank."""
    config, tiles, kernels = plan.config, len(plan.pixel_tiles), len(plan.kernel_tiles)
    features = max(int(plan.row_tokens(n, ce).max()) for n in range(tiles))
    weights = int(plan.column_tokens.max())
    w_fits, f_fits = weights <= config.wb_tokens, features <= config.fb_tokens
    if not w_fits and not f_fits:
        raise ValueError(f"{plan.stage.layer.name}: a tile's features ({features} tokens in a row) "
                         f"must fit fb_tokens ({config.fb_tokens}), or its weights ({weights} in a "
                         f"column) wb_tokens ({config.wb_tokens})")
    if not f_fits and plan.line_tokens > config.fb_tokens:
        raise ValueError(f"{plan.stage.layer.name}: the features of a kernel row "
                         f"({plan.line_tokens} tokens) must fit fb_tokens ({config.fb_tokens})")
    return {"w_stream": int(not w_fits), "w_loads": 1 if w_fits else tiles,
            "w_replays": tiles if w_fits else 1, "f_loads": 1 if f_fits else kernels,
            "f_replays": kernels if f_fits else 1}
