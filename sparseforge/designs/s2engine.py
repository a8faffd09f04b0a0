"""S² Engine's place in the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from golden.dense.systolic import systolic_cycles
from golden.layers import Layer
from golden.program import Memory
from golden.tensors import Tensors
from hw.s2engine.config import PRESETS, S2Config
from sparseforge.registry import Cycles, Dense, LayerCycles, Measured, Shape, Waves


class S2Engine:
    """See `sparseforge.registry.Design`. Cycles are those of the array, at the clock of the DSs."""

    name = "s2engine"
    title = "S² Engine: a systolic array whose PEs select the pairs of non-zeros"
    paper = "Yang et al., S² Engine"
    busy_cause = "multiply"

    def presets(self) -> Mapping[str, S2Config]:
        return PRESETS

    def shape(self, config: S2Config) -> Shape:
        return Shape(config.pes, config.pes, config.data_bits, config.acc_bits,
                     config.memory_bits, ratio=config.ratio)

    def top(self, config: S2Config) -> Any:
        from hw.s2engine.top import Top
        return Top(config)

    def compile(self, layers: Sequence[Layer], tensors: Sequence[Tensors],
                config: S2Config) -> Any:
        from golden.s2engine.compile import compile
        # In a chain a layer's outputs are the next one's activations.
        known = [*(given.activations for given in tensors[1:]), None]
        return compile(layers, tensors, config, known=known)

    def cycles(self, program: Any, config: S2Config, memory: Memory) -> Cycles:
        from golden.s2engine.cycles import cycles
        report = cycles(program)
        each = [report.of(n) for n in range(len(program.layers))]
        total = report.of()

        def share(of: dict[str, Any]) -> LayerCycles:
            rest = {name: v for name, v in of.items() if name not in ("causes", "macs_done")}
            return LayerCycles(of["array_cycles"], of["array_cycles"], of["macs_done"],
                               of["causes"], rest)
        whole = share(total)
        return Cycles(whole.cycles, whole.cycles_layer, whole.macs_done, whole.stalls, 0, 0,
                      [share(of) for of in each], whole.about)

    def simulate(self, programs: Sequence[Any], config: S2Config, memory: Memory, *,
                 simulator: str, seed: int = 1, waves: Waves | None = None) -> list[Measured]:
        """The CE array and the PE array in RTL, fed from files; sums, cycles and causes are theirs.
        Bias, requantisation, ReLU and pooling of their sums are golden's."""
        from sim.s2engine.run import run_work
        if waves is not None:
            raise ValueError("s2engine: sim has no waveforms of its array yet")
        runs = [run_work(program, simulator) for program in programs]
        return [Measured(Cycles(run.cycles, run.cycles, run.causes["multiply"], run.causes, 0, 0),
                         run.outputs, run.wall_s) for run in runs]

    def dense(self, layer: Layer, config: S2Config) -> Dense:
        return Dense("systolic", systolic_cycles(layer, config.rows, config.cols), config.pes)

    def about(self, program: Any) -> Mapping[str, Any]:
        """How many passes, and what the dense array takes without overlap of its tiles."""
        config = program.config
        alone = sum(systolic_cycles(layer, config.rows, config.cols, overlap=False)
                    for layer in program.layers)
        return {"passes": len(program.passes), "dense_cycles_without_overlap": alone}

    def reproduce(self, console: Any, folder: Path | None, only: str | None) -> dict[str, Any]:
        from sparseforge.reproduce.s2engine import reproduce
        return reproduce(console, folder, only)


DESIGN = S2Engine()
