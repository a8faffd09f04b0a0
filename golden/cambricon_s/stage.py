"""A layer as the machine sees it: planes of pixels, groups of Tm outputs, weights by place.

A pixel's neurons have *places*: neuron c of a plane lies at place c, rounded up to whole granules.
An FC layer is a 1 × 1 convolution over a line of pixels, one per image of the batch; behind a
plane of several pixels, its inputs are that whole plane as it lies in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from golden.cambricon_s.quantise import GLOBAL, Submatrices
from golden.layers import Layer
from golden.tensors import Tensors
from hw.cambricon_s.config import CambriconSConfig


@dataclass(frozen=True)
class Plane:
    """Neurons in memory: [images][H][W][granules of Tn]; rows begin on a beat."""

    images: int
    h: int
    w: int
    channels: int
    granules: int           # of a pixel
    granule_bytes: int
    beat: int               # bytes

    @classmethod
    def of(cls, images: int, h: int, w: int, channels: int, cfg: CambriconSConfig) -> Plane:
        """More than a beat of a pixel's granules are whole beats, so that each begins on one."""
        granules, size = -(-channels // cfg.tn), cfg.granule_bits // 8
        if granules * size > cfg.beat_bytes:
            granules = -(-granules * size // cfg.beat_bytes) * cfg.beat_bytes // size
        return cls(images, h, w, channels, granules, size, cfg.beat_bytes)

    @property
    def pixel_bytes(self) -> int:
        return self.granules * self.granule_bytes

    @property
    def row_bytes(self) -> int:
        return -(-self.w * self.pixel_bytes // self.beat) * self.beat

    @property
    def image_bytes(self) -> int:
        return self.h * self.row_bytes

    @property
    def size(self) -> int:
        return self.images * self.image_bytes

    def fill(self, values: np.ndarray, data_bits: int) -> bytes:
        """The plane of neurons [images, C, H, W]; places without one are 0."""
        whole = np.zeros((self.images, self.h, self.row_bytes * 8 // data_bits),
                         f"<i{data_bits // 8}")
        step = self.pixel_bytes * 8 // data_bits
        pixels = whole[:, :, :self.w * step].reshape(self.images, self.h, self.w, step)
        pixels[..., :self.channels] = values.transpose(0, 2, 3, 1)
        whole[:, :, :self.w * step] = pixels.reshape(self.images, self.h, -1)
        return whole.tobytes()

    def read(self, data: bytes, data_bits: int) -> np.ndarray:
        """What `fill` wrote: int64 [images, C, H, W]."""
        whole = np.frombuffer(data, f"<i{data_bits // 8}").reshape(self.images, self.h, -1)
        step = self.pixel_bytes * 8 // data_bits
        pixels = whole[:, :, :self.w * step].reshape(self.images, self.h, self.w, step)
        return pixels[..., :self.channels].transpose(0, 3, 1, 2).astype(np.int64)

    def flat_places(self, cfg: CambriconSConfig) -> np.ndarray:
        """Where an image's neurons, flattened channel by channel, lie in it."""
        unit = cfg.data_bits // 8
        c, y, x = np.ogrid[:self.channels, :self.h, :self.w]
        return ((y * self.row_bytes + x * self.pixel_bytes) // unit + c).reshape(-1)


@dataclass(frozen=True)
class OutputGroup:
    """Outputs [first, last) of one convolution group, on as many PEs."""

    number: int
    part: int               # convolution group
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Stage:
    """One layer with its weights. `weights[part]` is int16 [outputs, places, R, S]: the places are
    those of the granules from `lows[part]` on; the same of `inputs`, the sub-matrix column of each
    place (-1: no neuron), and `rows`, the sub-matrix row of each output."""

    index: int
    layer: Layer
    cfg: CambriconSConfig
    plane: Plane
    output: Plane
    lows: tuple[int, ...]
    weights: tuple[np.ndarray, ...]
    inputs: tuple[np.ndarray, ...]
    rows: np.ndarray
    bias: np.ndarray        # int64 [K]
    places: np.ndarray      # of each input channel in its pixel

    @property
    def stride(self) -> int:
        return self.layer.stride

    @property
    def outputs_shape(self) -> tuple[int, int]:
        """Rows and columns of sums, before pooling."""
        if self.layer.is_fc:
            return 1, self.plane.w
        return self.layer.ho, self.layer.wo

    @property
    def pads(self) -> tuple[int, int]:
        """Rows above and columns to the left."""
        return self.layer.pads[0], self.layer.pads[2]

    @cached_property
    def groups(self) -> tuple[OutputGroup, ...]:
        out: list[OutputGroup] = []
        first = 0
        for part, weights in enumerate(self.weights):
            for k in range(0, len(weights), self.cfg.tm):
                last = min(k + self.cfg.tm, len(weights))
                out.append(OutputGroup(len(out), part, first + k, first + last))
            first += len(weights)
        return tuple(out)

    def granules(self, group: OutputGroup) -> tuple[int, int]:
        """First granule of a pixel that the group's part reads, and how many."""
        return self.lows[group.part], self.weights[group.part].shape[1] // self.cfg.tn

    def of(self, group: OutputGroup) -> np.ndarray:
        """The weights [outputs, places, R, S] of an output group."""
        begin = sum(len(w) for w in self.weights[:group.part])
        return self.weights[group.part][group.first - begin:group.last - begin]

    @cached_property
    def connected(self) -> tuple[np.ndarray, ...]:
        """For each output group its indices, bool [selectors, places, R, S]."""
        shared = self.cfg.shared_index
        return tuple((self.of(group) != 0).any(0, keepdims=True) if shared
                     else self.of(group) != 0 for group in self.groups)


def output_plane(layer: Layer, cfg: CambriconSConfig) -> Plane:
    """Where a layer's outputs go: an FC layer's images lie side by side in one row."""
    if layer.is_fc:
        return Plane.of(1, 1, layer.batch, layer.k, cfg)
    return Plane.of(layer.batch, layer.out_h, layer.out_w, layer.k, cfg)


def stage(index: int, layer: Layer, tensors: Tensors, cfg: CambriconSConfig,
          producer: Plane | None = None, cut: Submatrices = GLOBAL) -> Stage:
    """The stage of `layer`; `producer`: the plane that it reads, if a layer before wrote it."""
    weights, parts = _merged(layer, tensors.weights, cfg)
    place = np.arange(layer.c)
    if layer.is_fc:
        plane = producer or Plane.of(1, 1, layer.batch, layer.c, cfg)
        if (plane.h, plane.w) != (1, layer.batch):
            place = plane.flat_places(cfg)
            granules = plane.image_bytes // plane.granule_bytes
            plane = Plane(1, 1, layer.batch, granules * cfg.tn, granules, plane.granule_bytes,
                          plane.beat)
    else:
        plane = producer or Plane.of(layer.batch, layer.h, layer.w, layer.c, cfg)
    depth = layer.c // parts
    column = _columns(layer, cut)
    lows, placed, inputs = [], [], []
    for part in range(parts):
        here = place[part * depth:(part + 1) * depth]
        low, high = here.min() // cfg.tn, here.max() // cfg.tn + 1
        lows.append(int(low))
        size = layer.k // parts
        wide = np.zeros((size, (high - low) * cfg.tn, layer.r, layer.s), np.int16)
        wide[:, here - low * cfg.tn] = weights[part * size:(part + 1) * size]
        placed.append(wide)
        of = np.full(wide.shape[1], -1, np.int32)
        of[here - low * cfg.tn] = column[part * depth:(part + 1) * depth]
        inputs.append(of)
    rows = np.arange(layer.k) // (cut.outputs or layer.k)
    bias = np.zeros(layer.k, np.int64) if tensors.bias is None else tensors.bias.astype(np.int64)
    return Stage(index, layer, cfg, plane, output_plane(layer, cfg), tuple(lows), tuple(placed),
                 tuple(inputs), rows, bias, place)


def _columns(layer: Layer, cut: Submatrices) -> np.ndarray:
    """The sub-matrix column of each input channel."""
    depth = layer.c // layer.groups
    return (np.arange(layer.c) % depth) // (cut.inputs or depth)


def _merged(layer: Layer, weights: np.ndarray, cfg: CambriconSConfig) -> tuple[np.ndarray, int]:
    """(weights, convolution groups), as many groups in one as Tm outputs have room for.

    A group of fewer than Tm outputs leaves PEs idle; beside others it shares their neurons, with
    synapses of 0 where it has none.
    """
    size = layer.k // layer.groups
    together = max(m for m in range(1, layer.groups + 1)
                   if layer.groups % m == 0 and (m == 1 or m * size <= cfg.tm))
    if together == 1:
        return weights, layer.groups
    k, depth, r, s = weights.shape
    wide = np.zeros((k, together * depth, r, s), weights.dtype)
    for group in range(layer.groups):
        at = group % together
        wide[group * size:(group + 1) * size, at * depth:(at + 1) * depth] = \
            weights[group * size:(group + 1) * size]
    return wide, layer.groups // together


def check(layer: Layer, tensors: Tensors, cfg: CambriconSConfig) -> None:
    """Raises ValueError of one line for what the hardware cannot do, whatever the tiles."""
    rule = layer.require
    rule(cfg.data_bits in (8, 16), f"data_bits must be 8 or 16 for memory to hold neurons, "
         f"not {cfg.data_bits}")
    rule(2 <= layer.out_bits <= cfg.data_bits,
         f"out_bits must be at most data_bits ({cfg.data_bits}), not {layer.out_bits}")
    rule(layer.product_shift == 0, f"product_shift must be 0, not {layer.product_shift}: sums of "
         f"{cfg.acc_bits} bits need none")
    rule(layer.multiplier < 1 << 16, f"multiplier must be below 65536, not {layer.multiplier}")
    rule(not layer.is_fc or layer.pool is None, "an FC layer must not pool: it has no plane")
    if layer.pool is not None:
        rule(max(layer.pool.k, layer.pool.s) <= 15, "pool k and s must be at most 15")
    half = 1 << (cfg.data_bits - 1)
    for name, values in (("weights", tensors.weights), ("activations", tensors.activations)):
        low, high = int(values.min()), int(values.max())
        rule(-half <= low and high < half, f"{name} must fit into {cfg.data_bits} bits, "
             f"not {low if low < -half else high}")
