"""From layers and tensors to a program: compile(layers, tensors, config) -> Program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from golden import outputs as integers
from golden import tensors as given_tensors
from golden.layers import Layer
from golden.mnf import image
from golden.mnf.events import Pixels
from golden.mnf.geometry import Geometry
from golden.mnf.mapping import Mapping, candidates
from golden.mnf.passes import Share, passes
from golden.mnf.program import Pass, Program, map_range
from golden.mnf.replay import targets
from golden.mnf.sections import port_of, storing
from golden.mnf.settings import generator_setting
from golden.mnf.setup import SetUp, interleave
from golden.program import PAGE
from golden.tensors import Tensors
from hw.mnf import fields
from hw.mnf.config import MNFConfig


def compile(layers: Layer | Sequence[Layer], tensors: Tensors | Sequence[Tensors],
            config: MNFConfig, *, chain: bool = True, base: int = 0,
            known: Sequence[np.ndarray | None] | None = None, resident: bool = False,
            mappings: Sequence[Mapping | None] | None = None, modelled: int = 1) -> Program:
    """The program that runs `layers` (or one layer) one after the other.

    In a `chain` each layer reads the outputs of the one before, on chip as far as they fit;
    without, each reads its own activations from memory and writes its outputs there. `base`:
    address of the image. `known`: outputs that the caller has computed already. `resident`: the
    weights are in their SRAMs as if by magic, for the model alone. `mappings`: those to take
    instead of the ones found. `modelled`: of so many mappings, those with the fewest estimated
    cycles, each layer takes the one that the model finds the fastest, alone from memory to memory.
    Raises ValueError, one line naming layer and rule.
    """
    if isinstance(layers, Layer):
        layers = [layers]
    if isinstance(tensors, Tensors):
        tensors = [tensors]
    if not layers:
        raise ValueError("layers must be at least one")
    for layer, given in zip(layers, tensors, strict=True):
        layer.require(layer.batch == 1, f"batch must be 1, not {layer.batch}")
        layer.require(layer.out_bits <= config.data_bits, f"out_bits must be at most data_bits "
                      f"({config.data_bits}), not {layer.out_bits}")
        given_tensors.check(layer, given, config.data_bits, config.acc_bits)
    results = integers.outputs(layers, tensors, config.acc_bits, chain=chain, known=known)
    stages = []
    for n, result in enumerate(results):
        on_chip = chain and n > 0
        plane = results[n - 1].outputs if on_chip else tensors[n].activations
        stages.append(_stage(n, result.layer, tensors[n], plane, result.outputs, on_chip,
                             chain and n + 1 < len(layers), config,
                             mappings[n] if mappings else None, modelled))
    return _Builder(config, base, resident).program(stages)


@dataclass(frozen=True)
class Stage:
    """A layer, what it reads and gives, and how it is mapped."""

    index: int
    layer: Layer                # with its shift
    reads: Layer                # the same as the machine runs it
    tensors: Tensors
    plane: np.ndarray           # int64 [C, H, W]
    outputs: np.ndarray         # int64 [K, rows, cols]
    on_chip: bool               # reads what the layer before left on chip
    keep: bool
    mapping: Mapping


def _stage(index: int, layer: Layer, tensors: Tensors, plane: np.ndarray, outputs: np.ndarray,
           on_chip: bool, keep: bool, config: MNFConfig, mapping: Mapping | None,
           modelled: int) -> Stage:
    """An FC layer that reads a plane on chip is a convolution as large as the plane."""
    reads = layer
    if on_chip and plane.shape != layer.activations_shape:
        c, h, w = plane.shape
        layer.require(layer.is_fc and layer.c == prod(plane.shape),
                      f"activations must be the outputs of the layer before, "
                      f"{list(plane.shape)}, not {list(layer.activations_shape)}")
        reads = replace(layer, c=c, h=h, w=w, r=h, s=w)
        tensors = replace(tensors, weights=tensors.weights.reshape(reads.weights_shape))
    if mapping is None:
        found = [one.mapping for one in candidates(
            reads, plane, config, storing(config, int(np.count_nonzero(outputs)), keep), modelled)]
        mapping = found[0] if len(found) == 1 else min(found, key=lambda one: _cycles(
            one, replace(tensors, activations=plane), outputs, config))
    mapping = replace(mapping, layer=reads)     # one that was given need not know the shift
    return Stage(index, layer, reads, tensors, plane, outputs, on_chip, keep, mapping)


def _cycles(mapping: Mapping, tensors: Tensors, outputs: np.ndarray, config: MNFConfig) -> int:
    """Of a layer alone, without waiting for its map and for its outputs."""
    from golden.mnf.cycles import cycles  # Numba compiles for long, only where that is asked for

    program = compile(mapping.layer, tensors, config, known=[outputs], mappings=[mapping])
    return cycles(program).cycles_layer


class _Builder:
    """Lays the image out, layer by layer."""

    def __init__(self, config: MNFConfig, base: int, resident: bool) -> None:
        self.config, self.base, self.resident = config, base, resident
        self.setup = SetUp(config, resident)
        self.line = fields.line_bits(config) // 8

    def program(self, stages: Sequence[Stage]) -> Program:
        counts = [sum(1 for shares in passes(stage.mapping) if shares) for stage in stages]
        self.end = self.base + -(-sum(counts) * image.descriptor_bytes(self.config)
                                 // self.line) * self.line
        made = [one for stage in stages for one in self._layer(stage, stage is stages[-1])]
        size = -(-(self.end - self.base) // PAGE) * PAGE
        if self.base + size > 1 << min(32, self.config.addr_bits):
            raise ValueError(f"the memory image must end below "
                             f"2^{min(32, self.config.addr_bits)}")
        return Program(config=self.config, base=self.base, desc_addr=self.base, size=size,
                       passes=tuple(made), layers=tuple(stage.layer for stage in stages),
                       resident=self.resident)

    def _take(self, lines: int) -> int:
        """Address of so many lines."""
        at = self.end
        self.end += lines * self.line
        return at

    def _layer(self, stage: Stage, last_layer: bool) -> list[Pass]:
        config = self.config
        pixels = Pixels.of(np.zeros((1, 1, 1), np.int64))
        if not stage.on_chip:
            pixels = by_rows(Pixels.of(stage.plane), stage.layer)
        most = fields.pixels_per_line(config)
        map_at = self._take(-(-len(pixels) // most))
        every = [shares for shares in passes(stage.mapping) if shares]
        keeping = _keeping(stage, every, config)
        store_at = self._take(keeping["store_lines"])
        stored = (store_at, self.end) if keeping["store_lines"] else None
        common = {"keep": int(stage.keep), "from_memory": int(not stage.on_chip),
                  "out_rows": stage.layer.out_h, "store_addr": store_at, **keeping}
        made = []
        for n, shares in enumerate(every):
            blocks = self.setup.blocks(stage.mapping, stage.index, stage.mapping.layer,
                                       stage.tensors, shares)
            order = interleave(blocks, config)
            rows = _rows(stage.reads, shares)
            first, end = map_range(pixels, rows, config)
            members = sum(2 << pe for pe in range(len(shares)))
            own = targets(stage.reads, shares)
            descriptor = {
                **common, "setup_addr": self._take(len(order)), "setup_lines": len(order),
                "map_addr": map_at + first * self.line, "map_lines": end - first,
                "first": int(n == 0), "last": int(last_layer and n + 1 == len(every)),
                "first_row": rows[0], "last_row": rows[1], "members": members,
                "fires": members if shares[0].fires else 0,
                "generator": generator_setting(Geometry.of(stage.reads), own,
                                               shares[0].lanes.pitch, config)}
            made.append(Pass(layer=stage.layer, reads=stage.reads, index=stage.index,
                             mapping=stage.mapping, shares=shares, blocks=tuple(blocks),
                             order=order, plane=stage.plane, pixels=pixels,
                             weights=stage.tensors.weights,
                             outputs=stage.outputs, descriptor=descriptor,
                             stored=stored if n == 0 else None))
        return made


def by_rows(pixels: Pixels, layer: Layer) -> Pixels:
    """As a map lies in memory: rows ascend, and in a row the convolution groups take turns, so that
    none waits for another one's pixels. Each group's are in order of channel and column."""
    order = np.lexsort((pixels.x, pixels.channel, pixels.y))
    group = pixels.channel[order] // (layer.c // layer.groups)
    _, start, run = np.unique(pixels.y[order] * layer.groups + group, return_index=True,
                              return_inverse=True)
    turn = np.arange(len(order)) - start[run]
    order = order[np.lexsort((group, turn, pixels.y[order]))]
    return Pixels(*(getattr(pixels, name)[order] for name in ("value", "channel", "y", "x")))


def _rows(layer: Layer, shares: list[Share]) -> tuple[int, int]:
    """The first and the last input row that the bands of a pass read."""
    top = layer.pads[0]
    first = min(share.band[0] for share in shares) * layer.stride - top
    last = (max(share.band[1] for share in shares) - 1) * layer.stride - top + layer.r - 1
    first = min(max(0, first), layer.h - 1)
    return first, max(first, min(layer.h - 1, last))


def _keeping(stage: Stage, every: list[list[Share]], config: MNFConfig) -> dict[str, int]:
    """Room on chip for each row of the outputs, and in memory for what may not fit."""
    layer, most = stage.layer, fields.pixels_per_line(config)
    if not stage.keep:
        # The last line may be empty.
        return {"row_events": 0, "store_lines": prod(layer.outputs_shape) // most + 1}
    cells = np.zeros((config.ports, layer.out_h), np.int64)
    for shares in every:
        for pe, share in enumerate(shares):
            if share.fires:
                cells[port_of(config, pe + 1), share.out[0]:share.out[1]] += (
                    (share.k[1] - share.k[0]) * layer.out_w)
    room = min(int(cells.max()), config.storage_events // layer.out_h)
    spilled = int(np.maximum(cells - room, 0).sum())
    return {"row_events": room, "store_lines": spilled // most + 1 if spilled else 0}

