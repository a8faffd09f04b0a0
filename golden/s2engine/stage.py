"""A layer as S² Engine sees it: planes of pixels, kernels as sequences of groups; refusals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from golden.layers import Layer
from golden.tensors import Tensors
from hw.common.stationary.config import StationaryConfig


def column_order(columns: int, stride: int) -> list[tuple[int, int]]:
    """(residue, k) of a kernel row's groups in their order; the column is residue + k · stride."""
    return [(residue, k) for residue in range(min(stride, columns))
            for k in range(-(-(columns - residue) // stride))]


def deal(count: int, parts: int) -> list[tuple[int, int]]:
    """(first, number) of `parts` shares of `count` things, the larger ones first."""
    size, more = divmod(count, parts)
    ends = np.cumsum([0] + [size + (n < more) for n in range(parts)])
    return [(int(ends[n]), int(ends[n + 1] - ends[n])) for n in range(parts)]


def group_sizes(channels: int, group: int) -> np.ndarray:
    """How `channels` are cut into groups: int64 [groups]; the last one may be smaller."""
    return np.minimum(channels - np.arange(0, channels, group), group)


@dataclass(frozen=True, eq=False)
class Stage:
    """One layer; tensors of all its images. `layer` is the caller's; `shape` what is computed: a
    batch of an FC layer is a line of pixels, an FC layer behind a plane a kernel that covers it."""

    index: int
    layer: Layer
    shape: Layer                        # batch 1
    weights: np.ndarray                 # [K, C/groups, R, S]
    bias: np.ndarray                    # int64 [K]
    inputs: tuple[np.ndarray, ...]      # per image [C, H, W]
    outputs: tuple[np.ndarray, ...]     # per image [K, out_h, out_w]

    @property
    def pixels(self) -> int:
        return self.shape.ho * self.shape.wo

    def channel_groups(self, group: int) -> int:
        """Groups along the channels of one convolution group."""
        return -(-self.weights.shape[1] // group)

    def group_sizes(self, group: int) -> np.ndarray:
        """Channels of each group along the channels: int64 [groups]."""
        return group_sizes(self.weights.shape[1], group)

    @cached_property
    def _kernels(self) -> dict[int, np.ndarray]:
        return {}

    def kernels(self, group: int) -> np.ndarray:
        """The kernels as dense groups in their order: ``[K, groups, group]``."""
        if group not in self._kernels:
            k, depth, r, s = self.weights.shape
            many = self.channel_groups(group)
            padded = np.zeros((k, many * group, r, s), np.int64)
            padded[:, :depth] = self.weights
            stride = self.shape.stride
            order = [residue + n * stride for residue, n in column_order(s, stride)]
            split = padded.reshape(k, many, group, r, s)[..., order]
            self._kernels[group] = np.ascontiguousarray(
                split.transpose(0, 1, 3, 4, 2)).reshape(k, many * r * s, group)
        return self._kernels[group]

    def features(self, image: int, part: int, group: int) -> np.ndarray:
        """What the kernels of convolution group `part` touch of an image, as dense groups:
        ``[channel groups, Hp, Wp, group]``."""
        shape, plane = self.shape, self.inputs[image]
        depth = self.weights.shape[1]
        height = (shape.ho - 1) * shape.stride + shape.r
        width = (shape.wo - 1) * shape.stride + shape.s
        top, _, left, _ = shape.pads
        many = self.channel_groups(group)
        out = np.zeros((many * group, height, width), np.int64)
        seen = plane[part * depth:(part + 1) * depth, :height - top, :width - left]
        out[:depth, top:top + seen.shape[1], left:left + seen.shape[2]] = seen
        return np.ascontiguousarray(
            out.reshape(many, group, height, width).transpose(0, 2, 3, 1))


def as_plane(layer: Layer) -> bool:
    """The layer's batch can be a line of pixels."""
    return layer.is_fc and layer.pool is None


def stage(index: int, layer: Layer, tensors: Tensors, inputs: list[np.ndarray],
          outputs: list[np.ndarray], producer: Stage | None) -> Stage:
    """The stage of `layer`; `inputs` and `outputs` by image, as the layer's shapes say."""
    weights, shape = tensors.weights, layer
    bias = np.zeros(layer.k, np.int64) if tensors.bias is None else tensors.bias.astype(np.int64)
    if layer.batch > 1:         # an FC without pooling: see `as_plane`
        inputs, outputs = ([np.ascontiguousarray(a.reshape(layer.batch, -1).T)[:, None]
                            for a in group] for group in (inputs, outputs))
        shape = replace(layer, batch=1, w=layer.batch)
    elif producer is not None and layer.is_fc and layer.groups == 1:
        c, h, w = producer.outputs[0].shape
        inputs = [a.reshape(c, h, w) for a in inputs]
        weights = weights.reshape(layer.k, c, h, w)
        shape = replace(layer, c=c, h=h, w=w, r=h, s=w)
    return Stage(index, layer, shape, weights, bias, tuple(inputs), tuple(outputs))


def check(layer: Layer, tensors: Tensors, config: StationaryConfig) -> None:
    """Raises ValueError of one line for what the hardware cannot do, whatever the tiles."""
    rule = layer.require
    rule(layer.out_bits <= config.data_bits,
         f"out_bits must be at most {config.data_bits}, not {layer.out_bits}")
    rule(layer.product_shift == 0, f"product_shift must be 0, not {layer.product_shift}: "
         f"halves of 16-bit values are multiplied apart")
    rule(layer.shift is None or layer.shift <= config.acc_bits + 17,
         f"shift must be at most acc_bits + 17 ({config.acc_bits + 17}), not {layer.shift}")
    rule(layer.multiplier < 1 << 16, f"multiplier must be below 65536, not {layer.multiplier}")
    rule(layer.stride <= 255 and max(layer.r, layer.s) <= 255,
         "stride and kernel must be at most 255")
    if layer.pool:
        rule(max(layer.pool.k, layer.pool.s) <= 255, "pool k and s must be at most 255")
    half = 1 << (config.data_bits - 1)
    for name, values in (("weights", tensors.weights), ("activations", tensors.activations)):
        low, high = int(values.min()), int(values.max())
        rule(-half <= low and high < half, f"{name} must fit into {config.data_bits} bits, "
             f"not {low if low < -half else high}")
