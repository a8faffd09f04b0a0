"""Memory back into tensors: what a program left there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from golden.formats.lines import check_lines
from golden.mnf.events import Pixels
from golden.mnf.image import read_pixels
from golden.mnf.program import Program
from hw.mnf import fields
from hw.mnf.config import MNFConfig


def lines_at(config: MNFConfig, memory: bytes, at: int, count: int) -> np.ndarray:
    """Lines of memory, uint8 [count, line bytes]. Raises ValueError on a wrong CRC."""
    size = fields.line_bits(config) // 8
    lines = np.frombuffer(memory, np.uint8, count * size, at).reshape(count, size)
    good = check_lines(lines)
    if not good.all():
        raise ValueError(f"line {int(good.argmin())} at {at:#x}: CRC must be that of the line")
    return lines


def stored(config: MNFConfig, memory: bytes, region: tuple[int, int]) -> Pixels:
    """The pixels that lie in a region, [first byte, end) in `memory`, up to the line that ends it.

    Raises ValueError where there is no such line.
    """
    size, parts = fields.line_bits(config) // 8, []
    for at in range(*region, size * 4096):
        count = min(4096, (region[1] - at) // size)
        lines = np.frombuffer(memory, np.uint8, count * size, at).reshape(count, size)
        ends = np.flatnonzero(lines[:, 0] & 1)
        # What lies behind the end means nothing.
        parts.append(lines_at(config, memory, at, int(ends[0]) + 1 if len(ends) else count))
        if len(ends):
            return read_pixels(config, np.concatenate(parts))[0]
    raise ValueError(f"memory from {region[0]:#x}: no line ends the outputs")


def outputs(memories: Sequence[bytes], program: Program, index: int = -1) -> list[np.ndarray]:
    """A layer's outputs [K, rows, cols] as they lie in memory; ValueError if they are not there."""
    index = range(len(program.layers))[index]
    region = next(one.stored for one in program.passes if one.index == index)
    kept = any(one.descriptor["keep"] for one in program.passes if one.index == index)
    layer = program.layers[index]
    if region is None or kept:
        raise ValueError(f"{layer.name}: its outputs stay on chip")
    pixels = stored(program.config, memories[0],
                    (region[0] - program.base, region[1] - program.base))
    out = np.zeros(layer.outputs_shape, np.int64)
    out[pixels.channel, pixels.y, pixels.x] = pixels.value
    return [out]
