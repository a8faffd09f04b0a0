"""A layer as SCNN sees it: planes of channels and two spans; and what it cannot do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from golden.layers import Layer
from golden.scnn.geometry import Span
from golden.scnn.weights import Blocks, Taps, taps
from golden.tensors import Tensors
from hw.scnn.config import SCNNConfig


@dataclass(frozen=True, eq=False)
class Stage:
    """One layer (of one image; an FC batch is a plane). Tensors of all images, in order."""

    index: int
    layer: Layer                    # with its shift
    weights: np.ndarray             # [K, C/groups, R, S] as computed with (an FC may be reshaped)
    bias: np.ndarray                # int64 [K]
    rows: Span
    cols: Span
    inputs: tuple[np.ndarray, ...]      # per image [C, H, W]
    outputs: tuple[np.ndarray, ...]     # per image [K, pooled, pooled]
    planes: int                     # C

    @cached_property
    def taps(self) -> Taps:
        return taps(self.weights, self.layer.groups, self.rows, self.cols)

    @cached_property
    def channels(self) -> int:
        """Input channels, phases counted."""
        return self.planes * self.rows.phases * self.cols.phases

    @cached_property
    def weight_density(self) -> float:
        return len(self.taps.k) / self.weights.size

    @cached_property
    def activation_density(self) -> float:
        """Of the first image."""
        return float(np.count_nonzero(self.inputs[0])) / self.inputs[0].size

    @property
    def one_output(self) -> bool:
        """The kernel covers the plane, or the plane is a batch: dealt over the PEs by channel."""
        return as_plane(self.layer) or (self.rows.outputs == 1 and self.cols.outputs == 1)

    @cached_property
    def _blocks(self) -> dict[tuple[int, int, int], Blocks]:
        return {}

    def blocks(self, first: int, last: int, kc: int, config: SCNNConfig) -> Blocks:
        """Weight blocks of output channels [first, last); computed once."""
        key = first, last, kc
        if key not in self._blocks:
            if len(self._blocks) > 8:
                self._blocks.clear()
            self._blocks[key] = Blocks(self.taps.of(first, last), kc, config)
        return self._blocks[key]


def as_plane(layer: Layer) -> bool:
    """The layer's batch can be a plane of pixels."""
    return layer.is_fc and layer.pool is None


def batch_plane(batch: int) -> tuple[int, int]:
    """Rows and columns of the plane that holds a batch of an FC layer."""
    rows = next(n for n in range(int(batch**0.5), 0, -1) if batch % n == 0)
    return rows, batch // rows


def stage(index: int, layer: Layer, tensors: Tensors, inputs: list[np.ndarray],
          outputs: list[np.ndarray], producer: Stage | None) -> Stage:
    """The stage of `layer`; `inputs` and `outputs` by image, as the layer's shapes say.

    After a `producer` with a plane, an FC layer is a convolution whose kernel covers that plane.
    """
    weights = tensors.weights
    bias = np.zeros(layer.k, np.int64) if tensors.bias is None else tensors.bias.astype(np.int64)
    given = layer
    if layer.batch > 1:        # an FC without pooling: see `as_plane`
        h, w = batch_plane(layer.batch)
        inputs, outputs = ([np.ascontiguousarray(a.reshape(layer.batch, -1).T).reshape(-1, h, w)
                            for a in group] for group in (inputs, outputs))
        layer = replace(layer, batch=1, h=h, w=w)
    elif producer is not None and layer.is_fc and layer.groups == 1:
        c, h, w = producer.outputs[0].shape
        inputs = [a.reshape(c, h, w) for a in inputs]
        weights = weights.reshape(layer.k, c, h, w)
        layer = replace(layer, c=c, h=h, w=w, r=h, s=w)
    stride = layer.stride
    if layer.ho == 1 and layer.wo == 1:
        stride = max(layer.r, layer.s)
    return Stage(index, given, weights, bias, _span(layer, 0, stride), _span(layer, 1, stride),
                 tuple(inputs), tuple(outputs), layer.c)


def _span(layer: Layer, axis: int, stride: int) -> Span:
    pool, out = layer.pool, (layer.ho, layer.wo)[axis]
    pooling = {} if pool is None else {"pool_kernel": pool.k, "pool_stride": pool.s,
                                       "pool_pad": pool.pad}
    return Span(inputs=(layer.h, layer.w)[axis], pad=layer.pads[2 * axis], stride=stride,
                taps=(layer.r, layer.s)[axis], outputs=out,
                pooled=pool.size(out) if pool else out, **pooling)


def check(layer: Layer, tensors: Tensors, config: SCNNConfig) -> None:
    """Raises ValueError of one line for what the hardware cannot do, whatever the tiles."""
    rule = layer.require
    rule(layer.out_bits <= config.data_bits,
         f"out_bits must be at most data_bits ({config.data_bits}), not {layer.out_bits}")
    rule(layer.product_shift < 2 * config.data_bits,
         f"product_shift must be below {2 * config.data_bits}, not {layer.product_shift}")
    rule(layer.shift is None or layer.shift <= config.acc_bits + 17,
         f"shift must be at most acc_bits + 17 ({config.acc_bits + 17}), not {layer.shift}")
    rule(layer.multiplier < 1 << 16, f"multiplier must be below 65536, not {layer.multiplier}")
    one = layer.ho == 1 and layer.wo == 1
    kernel = 1 if one else -(-layer.r // layer.stride)
    rule(kernel <= config.max_kernel, f"kernel rows after the split by stride must be at most "
         f"max_kernel ({config.max_kernel}), not {kernel}")
    rule(layer.stride <= 255 and max(layer.r, layer.s) <= 255,
         "stride and kernel must be at most 255")
    if layer.pool:
        rule(max(layer.pool.k, layer.pool.s) <= 255, "pool k and s must be at most 255")
    for name, values in (("weights", tensors.weights), ("activations", tensors.activations)):
        low, high = int(values.min()), int(values.max())
        half = 1 << (config.data_bits - 1)
        rule(-half <= low and high < half, f"{name} must fit into data_bits "
             f"({config.data_bits}), not {low if low < -half else high}")
