"""The designs, by name. A module in `sparseforge.designs` adds one: its ``DESIGN``.

Nothing of a design is imported before it is asked for: ``sparseforge list`` needs configs alone.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from golden.layers import Layer
from golden.program import Memory
from golden.tensors import Tensors


@dataclass(frozen=True)
class LayerCycles:
    """One layer's share of a run. `stalls` counts PE-cycles by cause, ``multiply`` among them;
    `about`: what else the design says of it; `counts`: what of that adds up over layers."""

    cycles: int
    cycles_layer: int
    macs_done: int
    stalls: Mapping[str, int]
    about: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Cycles:
    """A program's run, predicted or measured: clk from start to irq, and its layers in order.

    `cycles_layer` is `cycles` without loading the first input and storing the last output. The
    causes of `stalls` (PE-cycles) sum to PEs × cycles: every PE-cycle has exactly one. `splits`
    divides causes further where the model can: cause -> {part: PE-cycles}, which sum to the cause.
    """

    cycles: int
    cycles_layer: int
    macs_done: int
    stalls: Mapping[str, int]
    read_beats: int
    write_beats: int
    layers: Sequence[LayerCycles] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A program's run on the RTL: its cycles, its outputs (one array per layer, None where they
    stay on chip), and the seconds that it took in the simulator.

    The hardware counts whole programs: `cycles.layers` is empty, and `cycles.cycles_layer` is taken
    from the model, once that is seen to agree.
    """

    cycles: Cycles
    outputs: Sequence[np.ndarray | None]
    wall_s: float


@dataclass(frozen=True)
class Waves:
    """A waveform request: file, window in cycles, part of the hierarchy (None: all of it)."""

    file: str
    start: int = 0
    stop: int | None = None
    scope: str | None = None


@dataclass(frozen=True)
class Dense:
    """The dense machine that a design is held against."""

    name: str
    cycles: int
    multipliers: int


@dataclass(frozen=True)
class Shape:
    """What the reports need of a config: multipliers, PEs, widths in bits.

    `ratio`: cycles of clk per cycle of the multipliers, at which the dense machine runs. `blocks`:
    in which blocks (fin, fout, kx, ky) synthetic weights of a layer are zero or not, unless
    --weight-block says so; one by one if None.
    """

    multipliers: int
    pes: int
    data_bits: int
    acc_bits: int
    memory_bits: int
    extra: Mapping[str, Any] = field(default_factory=dict)
    ratio: int = 1
    blocks: Callable[[Layer], tuple[int, int, int, int]] | None = None


class Design(Protocol):
    """What each design offers. Heavy parts are imported inside the methods.

    Refusals are ValueErrors of one line. `tensors` of a list of layers: in a chain, the
    activations of a layer are the outputs of the one before.
    """

    name: str
    title: str
    paper: str
    busy_cause: str             # the cause in `stalls` that stands for multiplying

    def presets(self) -> Mapping[str, Any]:
        """Named configs (frozen dataclasses), ``paper`` among them."""

    def shape(self, config: Any) -> Shape:
        """The config's numbers that reports need."""

    def top(self, config: Any) -> Any:
        """The hardware, a component."""

    def compile(self, layers: Sequence[Layer], tensors: Sequence[Tensors], config: Any) -> Any:
        """The program that runs these layers back to back; every layer's shift is set."""

    def cycles(self, program: Any, config: Any, memory: Memory) -> Cycles:
        """The performance model."""

    def simulate(self, programs: Sequence[Any], config: Any, memory: Memory, *, simulator: str,
                 seed: int = 1, waves: Waves | None = None) -> list[Measured]:
        """The programs on the RTL, one after the other. RunFailed if one does not finish."""

    def dense(self, layer: Layer, config: Any) -> Dense:
        """The baseline's cycles for this layer."""

    def about(self, program: Any) -> Mapping[str, Any]:
        """What else ``--json`` says of a program: how it was cut, what was chosen."""

    def reproduce(self, console: Any, folder: Path | None, only: str | None) -> dict[str, Any]:
        """Prints the paper's tables and figures beside ours; the same as plain data. `only` names
        one section; `folder` takes plots."""


@cache
def designs() -> dict[str, Design]:
    """All designs by name, in the order of their names."""
    package = importlib.import_module("sparseforge.designs")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return {name: importlib.import_module(f"sparseforge.designs.{name}").DESIGN for name in names}


def design(name: str) -> Design:
    """The design called `name`."""
    known = designs()
    if name not in known:
        raise ValueError(f"DESIGN must be one of {', '.join(known)}, not {name}")
    return known[name]
