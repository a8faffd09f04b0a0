"""What `compile` gives for Cambricon-S: a program of VLIW words per layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from golden import program
from golden.cambricon_s.emit import Switches
from golden.cambricon_s.stage import Plane, Stage
from golden.cambricon_s.tiling import Tiling
from golden.layers import Layer
from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.instruction import INSTRUCTION


@dataclass(frozen=True, kw_only=True, eq=False)
class CambriconPass:
    """One descriptor: a layer. `slots[unit]`: int64 [slots, 1 + fields], the first column the word
    that each is in, the others in the order of `INSTRUCTION`; `words`: how many there are."""

    layer: Layer
    index: int
    stage: Stage
    tiling: Tiling
    switches: Switches
    program_at: int
    words: int
    source: int                         # address of the input's plane
    target: int                         # of the output's
    slots: dict[str, np.ndarray] = field(repr=False)
    stored_bytes: int | None = None     # from target on; None: the output's plane

    @property
    def output(self) -> Plane:
        return self.stage.output

    @property
    def stored(self) -> tuple[int, int] | None:
        """The region that it writes."""
        size = self.output.size if self.stored_bytes is None else self.stored_bytes
        return self.target, self.target + size

    def column(self, unit: str, name: str) -> np.ndarray:
        """A field of all slots of a unit."""
        names = [one for one, _ in INSTRUCTION[unit]]
        return self.slots[unit][:, 1 + names.index(name)]

    @cached_property
    def index_density(self) -> float:
        """Share of the shared index's bits that are set, of all that neurons have a place for."""
        there = sum(int(c.sum()) for c in self.stage.connected)
        total = sum(int((self.stage.inputs[g.part] >= 0).sum()) * self.layer.r * self.layer.s
                    * len(self.stage.connected[g.number]) for g in self.stage.groups)
        return there / total


@dataclass(frozen=True, kw_only=True)
class Segment(program.Segment[CambriconPass]):
    """`expected`: the image with every plane that the run stores filled by golden."""

    expected: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Program(program.Program[CambriconSConfig, CambriconPass]):
    """A list of layers: one segment."""
