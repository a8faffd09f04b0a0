"""S² Engine's place in the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golden.dense.systolic import systolic_cycles
from golden.layers import Layer
from golden.program import Memory
from golden.tensors import Tensors
from hw.common.stationary.config import StationaryConfig
from hw.s2engine.config import PRESETS
from sparseforge.registry import Cycles, Dense, LayerCycles, Measured, Shape, Waves
from sparseforge.rtl import simulate


@dataclass(frozen=True)
class S2Engine:
    """See `sparseforge.registry.Design`. Cycles are of the DSs' clock. Nothing stays on chip
    between layers: `cycles_layer` is `cycles`; `array_cycles` leaves buffers and memory out.
    `array_only`: so do all other figures."""

    array_only: bool = False

    name = "s2engine"
    title = "S² Engine: a systolic array whose PEs select the pairs of non-zeros"
    paper = "Yang et al., S² Engine"
    busy_cause = "multiply"

    def alone(self) -> S2Engine:
        """The same design, buffers and memory aside: models whole networks within minutes."""
        return S2Engine(array_only=True)

    def presets(self) -> Mapping[str, StationaryConfig]:
        return PRESETS

    def shape(self, config: StationaryConfig) -> Shape:
        return Shape(config.pes, config.pes, config.data_bits, config.acc_bits,
                     config.memory_bits, ratio=config.ratio)

    def top(self, config: Any) -> Any:
        from hw.s2engine.top import Top
        return Top(config)

    def compile(self, layers: Sequence[Layer], tensors: Sequence[Tensors],
                config: StationaryConfig) -> Any:
        from golden.s2engine.compile import compile
        from golden.s2engine.image import program
        # In a chain a layer's outputs are the next one's activations.
        known = [*(given.activations for given in tensors[1:]), None]
        return program(compile(layers, tensors, config, known=known), ce=not config.naive)

    def cycles(self, program: Any, config: StationaryConfig, memory: Memory) -> Cycles:
        from golden.s2engine.cycles import Report, cycles
        report = (Report(program=program, runs=()) if self.array_only else
                  cycles(program, **memory.as_dict()))
        figures = report.array_of if self.array_only else report.of

        def share(of: dict[str, Any]) -> LayerCycles:
            about = {"mac_cycles": -(-of["cycles"] // config.ratio),
                     **{name: of[name] for name in ("fifo_marks", "idle_share")}}
            return LayerCycles(of["cycles"], of["cycles"], of["macs_done"], of["causes"], about,
                               of["counts"])
        total = figures()
        whole = share(total)
        return Cycles(whole.cycles, whole.cycles_layer, whole.macs_done, whole.stalls,
                      total["read_beats"], total["write_beats"],
                      [share(figures(n)) for n in range(len(program.layers))], whole.about,
                      counts=whole.counts)

    def simulate(self, programs: Sequence[Any], config: StationaryConfig, memory: Memory, *,
                 simulator: str, seed: int = 1, waves: Waves | None = None) -> list[Measured]:
        from sim.s2engine.run import RTL
        return simulate(RTL, programs, config, memory, macs="multiply", simulator=simulator,
                        seed=seed, waves=waves)

    def dense(self, layer: Layer, config: StationaryConfig) -> Dense:
        return Dense("systolic", systolic_cycles(layer, config.rows, config.cols), config.pes)

    def about(self, program: Any) -> Mapping[str, Any]:
        """How many passes, and what the dense array takes without overlap of its tiles."""
        config = program.config
        alone = sum(systolic_cycles(layer, config.rows, config.cols, overlap=False)
                    for layer in program.layers)
        return {"passes": len(program.passes), "segments": len(program.segments),
                "dense_cycles_without_overlap": alone}

    def reproduce(self, console: Any, folder: Path | None, only: str | None) -> dict[str, Any]:
        from sparseforge.reproduce.s2engine import reproduce
        return reproduce(console, folder, only)


DESIGN = S2Engine()
