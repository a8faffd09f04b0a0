"""What `compile` gives: the memory image and, beside it, the same in arrays.

The arrays are what the cycle model, the executor and the tests read; the image is what the hardware
reads. Shapes: E lines, B = weight_bus slots, P = PEs (index = row · pe_cols + column).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from golden import program
from golden.layers import Layer
from golden.scnn.geometry import Axis
from hw.scnn.config import SCNNConfig

EMPTY, WEIGHT, BIAS, ROW = range(4)      # kinds of slots
ALL = 0xFFFF                             # target of a broadcast line
NEVER = -1


class LineTable(NamedTuple):
    """Lines of one section in order. `value` and `run` have S = slot_elements per slot."""

    target: np.ndarray        # int32 [E]: PE or ALL
    end_group: np.ndarray     # bool [E]
    end_section: np.ndarray   # bool [E]
    kind: np.ndarray          # int8 [E, B]
    first: np.ndarray         # bool [E, B]
    last: np.ndarray          # bool [E, B]
    channel: np.ndarray       # int32 [E, B]
    value: np.ndarray         # int32 [E, B, S]
    run: np.ndarray           # int32 [E, B, S]
    position: np.ndarray      # int32 [E, B, S]: in the block; NEVER where the value is zero
    bias: np.ndarray          # int64 [N, biases_per_slot]: of the BIAS slots, in order

    @property
    def lines(self) -> int:
        return len(self.target)


class Encoded(NamedTuple):
    """Activations in the PEs' RAMs. Channels of a PE lie in ascending order, PE after PE."""

    start: np.ndarray         # int32 [P, channels]: first row, an index into the arrays below
    count: np.ndarray  # type: ignore[assignment]  # int32 [P, channels]
    value: np.ndarray         # int32 [rows, I]
    run: np.ndarray           # int32 [rows, I]
    position: np.ndarray      # int32 [rows, I]: in the PE's tile; NEVER where the value is zero

    def rows(self) -> np.ndarray:
        """Rows that each PE holds: int64 [P]."""
        return self.count.sum(axis=1, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class LayerPass:
    """One descriptor: a layer, or a DRAM tile or a chunk of output channels of one."""

    layer: Layer                # as the caller gave it
    index: int                  # of the layer in the caller's list
    image: int                  # of the input among several
    outputs: tuple[slice, slice, slice]     # what of the layer's output [K, Ho, Wo] this gives
    rows: Axis                  # geometry down and across
    cols: Axis
    split: bool                 # channels are dealt over the PEs, each with the whole plane
    planes: int                 # input channels C, phases not counted
    depth: int                  # input channels of an output: C / groups
    plane: tuple[int, int, int]     # shape of the whole layer's output, a batch of FC as a plane
    channels: int               # ids of input channels, phases counted (per PE if split)
    groups: int
    kc: int
    kc_last: int
    window_sums: int
    descriptor: dict[str, Any]  # field values, with "rows" and "cols" as lists of dicts
    weights: LineTable          # the weight section
    load: LineTable | None      # the load section, None if the inputs are on chip
    inputs: Encoded             # what the input RAMs hold
    tile: np.ndarray            # [C, h, w]: the inputs that the golden model expects
    result: np.ndarray          # int64 [k, h, w]: the outputs that the golden model expects
    stored: tuple[int, int] | None = None   # the region that it writes, [first byte, end)

    @cached_property
    def offsets(self) -> np.ndarray:
        """Linear offset of each weight, int32 [E, B, S]; NEVER where the value is zero."""
        position = self.weights.position
        row, gap = self.descriptor["kernel_row"], self.descriptor["kernel_gap"]
        return np.where(position < 0, NEVER, position + position // row * gap).astype(np.int32)

    @cached_property
    def bases(self) -> np.ndarray:
        """Address of position 0 of each PE's tile (offset 0): int32 [P]."""
        row, col = ([t["base_sums"] for t in self.descriptor[a]] for a in ("rows", "cols"))
        return np.add.outer(row, col).reshape(-1).astype(np.int32)

    @property
    def stores(self) -> bool:
        return bool(self.descriptor.get("store"))


Segment = program.Segment[LayerPass]
Program = program.Program[SCNNConfig, LayerPass]
