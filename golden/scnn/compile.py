"""From layers and tensors to a memory image: compile(layers, tensors, config) -> Program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from golden.layers import Layer
from golden.program import Image
from golden.scnn import activations, golden, layout
from golden.scnn.fastest import fastest
from golden.scnn.geometry import Axis
from golden.scnn.plan import Plan, Planner
from golden.scnn.program import Encoded, LayerPass, LineTable, Program, Segment
from golden.scnn.stage import Stage, as_plane, check, stage
from golden.scnn.weights import weight_lines
from golden.tensors import Tensors
from hw.scnn.config import SCNNConfig

POOLS = {None: 0, "max": 1, "avg": 2}


def compile(layers: Layer | Sequence[Layer], tensors: Tensors | Sequence[Tensors],
            config: SCNNConfig, *, inputs: Sequence[np.ndarray] | None = None, chain: bool = True,
            actual: bool = True, base: int = 0,
            known: Sequence[np.ndarray | None] | None = None) -> Program:
    """The program that runs `layers` (or one layer) one after the other.

    In a `chain` each layer takes the outputs of the one before: on chip where everything fits, else
    the program has another segment that loads them. Without, each loads its own activations, all in
    one segment. `inputs`: several inputs of the first layer, through all layers in turn (default:
    the first tensors' activations). `actual`: what fits is judged on these tensors, else on the
    densest. `base`: address of the image. `known`: outputs of layers that the caller has computed
    already (without `inputs`); else the golden model does. Raises ValueError, one line naming
    layer and rule.
    """
    if isinstance(layers, Layer):
        layers = [layers]
    if isinstance(tensors, Tensors):
        tensors = [tensors]
    if not layers:
        raise ValueError("layers must be at least one")
    for layer, given in zip(layers, tensors, strict=True):
        check(layer, given, config)
    stages, images = _stages(layers, tensors, config, inputs, chain, known)
    planned = Planner(config, actual).segments(stages, chain)
    if not config.kc:
        planned = [_fastest(plans, config) for plans in planned]
    segments = [_Builder(config, base, actual).segment(plans, images) for plans in planned]
    return Program(config=config, segments=tuple(segments), images=images,
                   layers=tuple(s.layer for s in stages))


def _stages(layers: Sequence[Layer], tensors: Sequence[Tensors], config: SCNNConfig,
            inputs: Sequence[np.ndarray] | None, chain: bool,
            known: Sequence[np.ndarray | None] | None) -> tuple[list[Stage], int]:
    """The layers as stages, and how many images pass through them."""
    given = [tensors[0].activations] if inputs is None else list(inputs)
    results: list[Any] = []
    for first in given:
        if results:     # the shift that the first image asked for
            layers = [r.layer for r in results[0]]
        own = [replace(tensors[0], activations=first), *tensors[1:]]
        results.append(golden.outputs(layers, own, config, chain=chain,
                                      known=known if inputs is None else None))
    done = [r.layer for r in results[0]]
    takes = [[first if not n or not chain else run[n - 1].outputs for first, run in
              zip(given, results, strict=True)] for n in range(len(done))]
    if not chain:
        takes[1:] = [[t.activations] * len(given) for t in tensors[1:]]
    makes = [[run[n].outputs for run in results] for n in range(len(done))]
    images = len(given)
    if any(layer.batch > 1 and not as_plane(layer) for layer in done):
        images *= done[0].batch
        done = [replace(layer, batch=1) for layer in done]
        takes, makes = ([[one for group in kind for one in group] for kind in side]
                        for side in (takes, makes))
    stages: list[Stage] = []
    for n, layer in enumerate(done):
        shapes = layer.activations_shape, layer.outputs_shape
        ins, outs = ([a.reshape(shape) for a in side[n]]
                     for side, shape in zip((takes, makes), shapes, strict=True))
        stages.append(stage(n, layer, tensors[n], ins, outs,
                            stages[-1] if chain and stages else None))
    return stages, images


def _fastest(plans: Sequence[Plan], config: SCNNConfig) -> list[Plan]:
    """The plans with the kc that the model finds fastest, for the first image.

    Tiles of a layer share their weights, so one kc. Dealt channels keep theirs: the bus decides.
    """
    together: dict[tuple[int, int, int], list[Plan]] = {}
    for plan in plans:
        together.setdefault((plan.stage.index, plan.first, plan.last), []).append(plan)

    def make(plan: Plan, like: LayerPass | None) -> LayerPass:
        return _alone(plan, config, like)

    kc = {key: group[0].kc if group[0].split else fastest(group, config, make)
          for key, group in together.items()}
    return [replace(plan, kc=kc[plan.stage.index, plan.first, plan.last]) for plan in plans]


def _alone(plan: Plan, config: SCNNConfig, like: LayerPass | None) -> LayerPass:
    """A pass for the model alone: no image, sections at address 0, nothing stored.

    `like`: the same with another kc.
    """
    inputs = like.inputs if like else activations.encode(plan.input(0), plan.rows, plan.cols,
                                                         plan.split, config)
    load = like.load if like else activations.row_lines(inputs, config) if plan.load else None
    weights = weight_table(plan, config)
    return _layer_pass(plan, 0, weights, inputs, load, {
        "weight_lines": weights.lines, "load": int(plan.load),
        "load_lines": load.lines if load else 0, "load_addr": 0, "weight_addr": 0})


def weight_table(plan: Plan, config: SCNNConfig) -> LineTable:
    """The weight section's lines."""
    blocks = plan.stage.blocks(plan.first, plan.last, plan.kc, config)
    bias = np.zeros(blocks.groups * plan.kc, np.int64)
    bias[:plan.last - plan.first] = plan.stage.bias[plan.first:plan.last]
    return weight_lines(blocks, bias, plan.split, config)


def _layer_pass(plan: Plan, image: int, weights: LineTable, inputs: Encoded,
                load: LineTable | None, where: dict[str, int],
                stored: tuple[int, int] | None = None) -> LayerPass:
    fields = describe(plan) | where
    return LayerPass(
        layer=plan.stage.layer, index=plan.stage.index, image=image, outputs=plan.region,
        rows=plan.rows, cols=plan.cols, split=plan.split, channels=plan.channels,
        planes=plan.stage.planes, depth=plan.stage.weights.shape[1],
        plane=plan.stage.outputs[image].shape,
        groups=fields["groups"], kc=plan.kc, kc_last=fields["kc_last"],
        window_sums=plan.window_sums, descriptor=fields, weights=weights, load=load,
        inputs=inputs, tile=plan.input(image), result=plan.result(image), stored=stored)


class _Builder:
    """Lays out one segment's image: descriptors, then sections as they come, shared if equal."""

    def __init__(self, config: SCNNConfig, base: int, actual: bool) -> None:
        self.config, self.actual = config, actual
        self.image = Image(base, config.memory_bits, config.addr_bits)
        self.shared: dict[tuple[Any, ...], tuple[LineTable, int]] = {}

    def segment(self, plans: Sequence[Plan], images: int) -> Segment:
        config = self.config
        count = len(plans) * images
        desc_addr = self.image.append(bytes(count * layout.descriptor_bytes(config)))
        passes = [self._pass(plan, image) for image in range(images) for plan in plans]
        data = self.image.whole()
        size = layout.descriptor_bytes(config)
        for n, one in enumerate(passes):
            try:
                data[n * size:(n + 1) * size] = layout.pack_descriptor(one.descriptor, config)
            except ValueError as error:
                raise ValueError(f"{one.layer.name}: {error}") from None
        return Segment(image=bytes(data), base=self.image.base, desc_addr=desc_addr,
                       passes=tuple(passes))

    def _weights(self, plan: Plan) -> tuple[LineTable, int]:
        """The weight section and its address, one for all tiles and images."""
        key = plan.stage.index, plan.first, plan.last, plan.kc, plan.split
        if key not in self.shared:
            table = weight_table(plan, self.config)
            self.shared[key] = table, self.image.append(layout.pack(table, self.config).tobytes())
        return self.shared[key]

    def _pass(self, plan: Plan, image: int) -> LayerPass:
        config = self.config
        weights, weight_addr = self._weights(plan)
        inputs = activations.encode(plan.input(image), plan.rows, plan.cols, plan.split, config)
        where = dict.fromkeys(("load", "load_addr", "load_lines", "store", "store_addr",
                               "store_lines"), 0)
        where |= {"weight_addr": weight_addr, "weight_lines": weights.lines}
        load = None
        if plan.load:
            load = activations.row_lines(inputs, config)
            where |= {"load": 1, "load_lines": load.lines,
                      "load_addr": self.image.append(layout.pack(load, config).tobytes())}
        stored = None
        if plan.consumer is None:
            lines = self._store_lines(plan, image)
            region = bytes(lines * (config.line_bits // 8))
            address = self.image.append(region)
            where |= {"store": 1, "store_lines": lines, "store_addr": address}
            stored = address, address + len(region)
        return _layer_pass(plan, image, weights, inputs, load, where, stored)

    def _store_lines(self, plan: Plan, image: int) -> int:
        """Capacity of the store region."""
        rows, cols = plan.following
        if self.actual:
            made = activations.encode(plan.result(image), rows, cols, False, self.config)
            return activations.stored_lines(made, self.config)
        outputs = plan.last - plan.first
        worst = outputs * activations.worst_rows(rows, cols, False, 1, self.config)
        return activations.worst_stored_lines(min(worst, self.config.ram_rows), outputs,
                                              self.config)


def describe(plan: Plan) -> dict[str, Any]:
    """The descriptor's fields but for addresses and lengths."""
    layer, rows, cols, kc = plan.stage.layer, plan.rows, plan.cols, plan.kc
    next_rows, next_cols = plan.following
    count = plan.last - plan.first
    groups = -(-count // kc)
    phases = next_rows.span.phases * next_cols.span.phases
    pool = layer.pool
    stride = cols.window * kc
    return {
        "relu": int(layer.relu), "pool": POOLS[pool.kind if pool else None],
        "product_shift": layer.product_shift, "shift": layer.shift, "out_bits": layer.out_bits,
        "multiplier": layer.multiplier,
        "groups": groups, "kc": kc, "kc_last": count - (groups - 1) * kc,
        "pitch": cols.window, "window_rows": rows.window, "row_stride": stride,
        "window_sums": plan.window_sums,
        "kernel_rows": rows.span.kernel, "kernel_row": cols.span.kernel * kc,
        "kernel_gap": (cols.window - cols.span.kernel) * kc,
        "origin": rows.halo_before * stride + cols.halo_before * kc,
        "halo_left": cols.halo_before, "halo_right": cols.halo_after,
        "halo_up": rows.halo_before, "halo_down": rows.halo_after,
        "hops_left": cols.hops_before, "hops_right": cols.hops_after,
        "hops_up": rows.hops_before, "hops_down": rows.hops_after,
        "overlap_cols": cols.overlap, "overlap_rows": rows.overlap,
        "pool_kernel": pool.k if pool else 1, "pool_stride": pool.s if pool else 1,
        "pool_area": (pool.k if pool else 1)**2,
        "next_pitch": next_cols.window, "next_stride": next_rows.span.stride,
        "next_phases_rows": next_rows.span.phases, "next_phases_cols": next_cols.span.phases,
        "next_phases": phases, "out_channels": count * phases, "group_channels": kc * phases,
        "halo_left_sums": cols.halo_before * kc, "halo_right_sums": cols.halo_after * kc,
        "overlap_sums": cols.overlap * kc,
        "rows": _tiles(rows, next_rows, stride), "cols": _tiles(cols, next_cols, kc),
    }


def _tiles(axis: Axis, following: Axis, unit: int) -> list[dict[str, int]]:
    return [{"size": axis.size[j], "base_sums": axis.base[j] * unit,
             "size_sums": axis.size[j] * unit, "pooled": axis.pooled[j], "limit": axis.limit[j],
             "pool_pad": axis.pool_pad[j], "phase": following.phase[j]}
            for j in range(axis.pes)]
