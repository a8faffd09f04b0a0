"""A run's figures: gathered, checked for sanity, and as the plain data that ``--json`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from golden import layers
from golden.program import Memory
from sparseforge.errors import RunFailed
from sparseforge.registry import Cycles, Dense, Design, Shape
from sparseforge.workload import Step


@dataclass(frozen=True)
class Part:
    """One row of a waterfall: multiplier-cycles that it adds (or, if negative, saves)."""

    name: str
    slots: int


@dataclass
class Figures:
    """A layer's or a whole run's figures. Counts are integers; ratios follow from them."""

    name: str
    multipliers: int
    pes: int
    busy: str
    ratio: int = 1              # clk cycles per cycle of the multipliers
    cycles: int = 0
    cycles_layer: int = 0
    stalls: dict[str, int] = field(default_factory=dict)
    splits: dict[str, dict[str, int]] = field(default_factory=dict)
    macs_dense: int = 0
    macs_effectual: int = 0
    macs_done: int = 0
    dense: Dense | None = None
    bound_memory: int | None = None
    about: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)    # the design's own, that add up

    def add(self, other: Figures) -> None:
        """Adds a run that follows this one."""
        for name in ("cycles", "cycles_layer", "macs_dense", "macs_effectual", "macs_done"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, more in ((self.stalls, other.stalls), (self.counts, other.counts)):
            for name, count in more.items():
                mine[name] = mine.get(name, 0) + count
        for cause, parts in other.splits.items():
            known = self.splits.setdefault(cause, {})
            for name, count in parts.items():
                known[name] = known.get(name, 0) + count
        if other.bound_memory is not None:
            self.bound_memory = (self.bound_memory or 0) + other.bound_memory
        if other.dense is not None:
            before = self.dense.cycles if self.dense else 0
            self.dense = Dense(other.dense.name, before + other.dense.cycles,
                               other.dense.multipliers)

    @property
    def slots(self) -> int:
        """Multiplier-cycles of the run."""
        return self.multipliers * self.cycles

    @property
    def utilization(self) -> float:
        return self.macs_effectual * self.ratio / self.slots if self.slots else 0.0

    @property
    def occupancy(self) -> float:
        return self.macs_done * self.ratio / self.slots if self.slots else 0.0

    @property
    def bound_compute(self) -> int:
        return -(-self.macs_effectual // self.multipliers)

    @property
    def ideal_cycles(self) -> int:
        """⌈dense MACs / multipliers⌉."""
        return -(-self.macs_dense // self.multipliers)

    @property
    def speedup(self) -> float | None:
        """Over the dense design, which runs at the multipliers' clock; both with activations where
        a chain keeps them."""
        if self.dense is None or not self.cycles_layer:
            return None
        return self.dense.cycles * self.ratio / self.cycles_layer

    @property
    def array(self) -> dict[str, float]:
        """Ratios of a design that says what its array takes by itself, memory and buffers aside."""
        cycles = self.counts.get("array_cycles")
        if not cycles:
            return {}
        slots = self.multipliers * cycles
        dense = {"array_speedup": self.dense.cycles * self.ratio / cycles} if self.dense else {}
        return dense | {"mac_busy": self.macs_done * self.ratio / slots,
                        "ds_busy": self.counts["ds_steps"] / slots}

    def waterfall(self) -> list[Part]:
        """From the dense work to the cycles, in multiplier-cycles: the parts sum to `slots`."""
        lanes = self.multipliers // self.pes
        busy = self.stalls.get(self.busy, 0) * lanes
        losses = [Part(cause, count * lanes) for cause, count in self.stalls.items()
                  if cause != self.busy]
        return [Part("ideal dense", self.macs_dense),
                Part("zeros skipped", self.macs_effectual - self.macs_dense),
                Part("fragment", busy - self.macs_effectual), *losses]

    def check(self) -> None:
        """Raises RunFailed if a figure cannot be."""
        rules = [
            (all(n >= 0 for n in self.stalls.values()), "a stall is negative"),
            (sum(self.stalls.values()) == self.pes * self.cycles,
             f"the causes sum to {sum(self.stalls.values())} PE-cycles, "
             f"not {self.pes} × {self.cycles}"),
            (sum(p.slots for p in self.waterfall()) == self.slots,
             "the waterfall does not sum to the cycles"),
            (all(sum(parts.values()) == self.stalls[cause] and min(parts.values()) >= 0
                 for cause, parts in self.splits.items()), "a cause is not the sum of its parts"),
            (self.macs_effectual <= self.macs_done, "fewer MACs were done than have an effect"),
            (self.macs_done * self.ratio <= self.slots,
             "more MACs were done than multipliers × cycles"),
            (self.bound_compute <= -(-self.cycles // self.ratio),
             "cycles beat the bound of the multipliers"),
            ((self.bound_memory or 0) <= self.cycles, "cycles beat the bound of the memory"),
        ]
        for holds, complaint in rules:
            if not holds:
                raise RunFailed(f"{self.name}: the figures cannot be right: {complaint}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        dense = self.dense
        return {
            "cycles": self.cycles, "cycles_layer": self.cycles_layer, "stalls": self.stalls,
            "splits": self.splits,
            "macs_dense": self.macs_dense, "macs_effectual": self.macs_effectual,
            "macs_done": self.macs_done, "utilization": self.utilization,
            "occupancy": self.occupancy, "bound_compute": self.bound_compute,
            "bound_memory": self.bound_memory, "ideal_cycles": self.ideal_cycles,
            "waterfall": [{"name": p.name, "slots": p.slots,
                           "cycles": p.slots / self.multipliers} for p in self.waterfall()],
            "dense_cycles": dense.cycles if dense else None,
            "dense_multipliers": dense.multipliers if dense else None,
            "dense_design": dense.name if dense else None,
            "speedup": self.speedup, **self.counts, **self.array, **self.about}


def figures(design: Design, config: Any, steps: Sequence[Step], run: Cycles,
            memory: Memory) -> tuple[Figures, list[Figures]]:
    """(the whole program's figures, its layers'), checked. Layers without cycles of their own
    (`run.layers` empty in a program of many) are left out."""
    shape = design.shape(config)
    each = [_work(design, config, shape, step) for step in steps]
    if len(steps) == 1:
        shares: Sequence[Any] = [run]
    else:
        shares = run.layers
    total = Figures(steps[0].layer.name if len(steps) == 1 else "all layers", shape.multipliers,
                    shape.pes, design.busy_cause, shape.ratio)
    for part in each:
        total.add(part)
    _time(total, run)
    total.splits = {cause: dict(parts) for cause, parts in run.splits.items()}
    total.bound_memory = bound_memory(run.read_beats, run.write_beats, memory)
    if len(steps) == 1:
        total.about = dict(each[0].about)
        each[0].bound_memory = total.bound_memory
    total.check()
    for part, share in zip(each, shares, strict=False):
        _time(part, share)
        if len(steps) == 1 or sum(part.stalls.values()) == part.pes * part.cycles:
            part.check()
    return total, each[:len(shares)]


def bound_memory(read_beats: int, write_beats: int, memory: Memory) -> int:
    """Cycles that the busier direction's beats take at full bandwidth."""
    beats, cycles = memory.bandwidth
    return -(-max(read_beats, write_beats) * cycles // beats)


def _work(design: Design, config: Any, shape: Shape, step: Step) -> Figures:
    """What the layer asks for, before it is run."""
    layer, tensors = step.layer, step.tensors
    count = getattr(design, "work", None)       # a design that does more than inference
    macs, effectual = count(layer, tensors) if count else (
        layer.macs, layers.effectual_macs(layer, tensors.weights, tensors.activations))
    return Figures(
        layer.name, shape.multipliers, shape.pes, design.busy_cause, shape.ratio,
        macs_dense=macs, macs_effectual=effectual, dense=design.dense(layer, config),
        about={"shape": layer.as_dict(), "shift": layer.shift, "source": tensors.source,
               "weight_density": tensors.weight_density,
               "activation_density": tensors.activation_density})


def _time(part: Figures, run: Any) -> None:
    part.cycles, part.cycles_layer = run.cycles, run.cycles_layer
    part.macs_done = run.macs_done
    stalls: Mapping[str, int] = run.stalls
    part.stalls = dict(stalls)
    part.about, part.counts = {**part.about, **run.about}, dict(run.counts)
