"""The second check of `image`: from a memory image back to tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from golden.program import Segment
from golden.s2engine import layout
from golden.s2engine.image import LayerPass, Plane, Program
from golden.s2engine.stage import column_order
from hw.common.stationary.config import StationaryConfig


def descriptors(segment: Segment[LayerPass], config: StationaryConfig) -> list[dict[str, int]]:
    """The descriptor list of a segment's image. Raises ValueError on a wrong CRC."""
    size, first = layout.descriptor_bytes(config), segment.desc_addr - segment.base
    return [layout.unpack_descriptor(segment.image[first + n * size:first + (n + 1) * size])
            for n in range(segment.desc_count)]


def section(memory: bytes, base: int, address: int, count: int,
            config: StationaryConfig) -> np.ndarray:
    """`count` lines from `address` on: uint8 [count, line bytes]."""
    size = config.line_bits // 8
    return np.frombuffer(memory, np.uint8, count * size, address - base).reshape(count, size)


def weights(memory: bytes, base: int, d: dict[str, int], config: StationaryConfig) -> np.ndarray:
    """A pass's kernels: int64 ``[kernels, channels of whole groups, R, S]``."""
    data = section(memory, base, d["weight_addr"], d["weight_lines"], config)
    kernels = layout.weights(data, d["kernels"], d["groups"], config)
    r, s, stride = d["kernel_rows"], d["kernel_cols"], d["stride"]
    split = kernels.reshape(d["kernels"], d["channel_groups"], r, s, config.group)
    out = np.zeros_like(split)
    for n, (residue, k) in enumerate(column_order(s, stride)):
        out[:, :, :, residue + k * stride] = split[:, :, :, n]
    return out.transpose(0, 1, 4, 2, 3).reshape(d["kernels"], -1, r, s)


def biases(memory: bytes, base: int, d: dict[str, int], config: StationaryConfig) -> np.ndarray:
    """A pass's biases: int64 [kernels]."""
    data = section(memory, base, d["bias_addr"], d["bias_lines"], config)
    return layout.biases(data, d["kernels"], config)


def features(memory: bytes, base: int, d: dict[str, int], config: StationaryConfig) -> np.ndarray:
    """What a pass's kernels touch, padding and whole groups: int64 ``[channels, Hp, Wp]``."""
    stride, slots = d["stride"], d["slots"]
    plane = Plane(d["channel_groups"], d["group_lines"] // d["row_lines"],
                  d["residue_lines"] // slots * stride, stride, slots)
    data = section(memory, base, d["feature_addr"], plane.groups * plane.group_lines, config)
    dense = plane.unpack(data, config)
    height = (d["pixels"] // d["line_pixels"] - 1) * stride + d["kernel_rows"]
    width = (d["line_pixels"] - 1) * stride + d["kernel_cols"]
    return dense.transpose(0, 3, 1, 2).reshape(-1, *dense.shape[1:3])[:, :height, :width]


def outputs(memories: Sequence[bytes], program: Program, index: int) -> list[np.ndarray]:
    """A layer's outputs by image, [K, out_h, out_w], from the memory behind each segment's run.

    An FC layer's batch is one image, [N, K, 1, 1].
    """
    config, index = program.config, range(len(program.layers))[index]
    out: dict[int, np.ndarray] = {}
    for segment, memory in zip(program.segments, memories, strict=True):
        for one in segment.passes:
            if one.index == index:
                stage, image = one.plan.stage, one.plan.image
                whole = out.setdefault(image, np.zeros(stage.outputs[image].shape, np.int64))
                whole[one.plan.first:one.plan.last] = _stored(memory, segment.base, one, config)
    layer = program.layers[index]
    if layer.batch > 1:
        return [out[0][:, 0].T.reshape(layer.outputs_shape)]
    return [out[image] for image in sorted(out)]


def _stored(memory: bytes, base: int, one: LayerPass, config: StationaryConfig) -> np.ndarray:
    """The outputs that a pass stored: int64 [kernels, out_h, out_w]."""
    d = one.descriptor
    kernels, line = one.plan.last - one.plan.first, config.line_bits // 8
    many = -(-kernels // config.group)
    rows, cols, slots = d["pooled_rows"], d["pooled_cols"], d["store_slots"]
    flat = np.frombuffer(memory, np.uint8)
    out = np.zeros((many, rows, cols, config.group), np.int64)
    for c in range(many):
        for y in range(rows):
            at = d["store_addr"] - base + (c * d["store_group_lines"]
                                           + y * d["store_row_lines"]) * line
            data = flat[at:at + cols * slots * line].reshape(-1, line)
            out[c, y] = layout.features(data, slots, config)
    return out.transpose(0, 3, 1, 2).reshape(-1, rows, cols)[:kernels]
