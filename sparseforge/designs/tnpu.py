"""TNPU's place in the registry: a layer, or a chain of layers, in one phase of training or in all.

Integers become float32 exactly, or are refused; outputs are float32. There is no shift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from golden.layers import Layer, effectual_macs
from golden.program import Memory
from golden.tensors import Tensors
from hw.tnpu.config import PRESETS, TNPUConfig
from sparseforge.errors import RunFailed, user_input
from sparseforge.registry import Cycles, Dense, Measured, Shape, Waves

BITS = 25               # integers below 2^24 in size are float32's
PHASES = {"fp": ("FP",), "bp": ("BP",), "gd": ("GD",), "wu": ("WU",),
          "all": ("FP", "BP", "GD", "WU")}


@dataclass(frozen=True)
class Job:
    """Layers compiled, with what they are run on."""

    program: Any
    tensors: tuple[Tensors, ...]


@dataclass(frozen=True)
class TNPU:
    """See `sparseforge.registry.Design`. `phase`: one of `PHASES`; phases alone start from what
    golden's phases before them leave."""

    phase: str = "fp"
    schedule: str = "sosm"

    name = "tnpu"
    title = "TNPU: training, convolutional and FC layers side by side"
    paper = "Li et al., ASP-DAC 2019"
    busy_cause = "multiply"
    output_type = np.float32

    def variant(self, phase: str, schedule: str) -> TNPU:
        """The same design for another phase and schedule."""
        from golden.tnpu.schedule import check
        if phase not in PHASES:
            raise ValueError(f"--phase must be one of {', '.join(PHASES)}, not {phase}")
        check(schedule, 1)
        return TNPU(phase, schedule)

    def presets(self) -> Mapping[str, TNPUConfig]:
        return PRESETS

    def shape(self, config: TNPUConfig) -> Shape:
        return Shape(config.multipliers, config.multipliers, BITS, BITS, config.memory_bits)

    def top(self, config: TNPUConfig) -> Any:
        from hw.tnpu.top import Top
        return Top(config)

    def compile(self, layers: Sequence[Layer], tensors: Sequence[Tensors], config: TNPUConfig
                ) -> Job:
        for layer, given in zip(layers, tensors, strict=True):
            _check(layer, given)
        return Job(self._program(layers, config, self.schedule), tuple(tensors))

    def _program(self, layers: Sequence[Layer], config: TNPUConfig, schedule: str) -> Any:
        from golden.tnpu.compile import compile
        from golden.tnpu.network import Network
        return compile(Network(tuple(layers)), config, 1, schedule=schedule,
                       phases=PHASES[self.phase], input_error=True)

    def cycles(self, program: Job, config: TNPUConfig, memory: Memory) -> Cycles:
        from golden.tnpu.timing import time
        with user_input():          # a memory that the model does not cover
            timed = time(program.program, memory)
        report = timed.report
        return Cycles(report.cycles, report.cycles, sum(timed.multiplications.values()),
                      report.causes, report.read_beats, report.write_beats, (),
                      {"phase": self.phase, "schedule": self.schedule, **report.counters})

    def simulate(self, programs: Sequence[Job], config: TNPUConfig, memory: Memory, *,
                 simulator: str, seed: int = 1, waves: Waves | None = None) -> list[Measured]:
        import sim.tnpu.run as rtl
        from golden.tnpu.timing import time
        from sparseforge.rtl import LIMIT, room, window
        images = [_images(job, PHASES[self.phase]) for job in programs]
        most = max(job.program.end for job in programs)
        options = {"waves": window(waves)} if waves else {}
        build = rtl.RTL.build(config, simulator, **room(most, simulator), **options)
        runs = rtl.RTL.run(build, [rtl.batch(job.program, given) for job, (given, _) in
                                   zip(programs, images, strict=True)],
                           memory=memory, seed=seed, max_cycles=LIMIT, **options)
        out = []
        for job, run, (_, expected) in zip(programs, runs, images, strict=True):
            (code, info), (cycles,), left = run.errors[0], run.cycles, rtl.memory(run)
            if code:
                raise RunFailed(f"the hardware stopped with error {code}, info {info:#x}")
            _compare(job.program, left, expected)
            done = sum(time(job.program, memory).multiplications.values())
            out.append(Measured(
                Cycles(cycles, cycles, done, run.causes, run.read_beats,
                       run.write_beats), _outputs(job.program, left), run.wall_s))
        return out

    def dense(self, layer: Layer, config: TNPUConfig) -> Dense:
        from golden.tnpu.timing import time
        cycles = time(self._program([layer], config, "time_multiplexed")).cycles
        return Dense("TNPU time-multiplexed", cycles, config.multipliers)

    def work(self, layer: Layer, tensors: Tensors) -> tuple[int, int]:
        """Multiplications of the phase, and those of two operands that are not zero."""
        from golden.tnpu.work import effectual
        if self.phase == "fp":
            return layer.macs, effectual_macs(layer, tensors.weights, tensors.activations)
        return effectual(layer, tensors, PHASES[self.phase])

    def about(self, program: Job) -> Mapping[str, Any]:
        """How many instructions each unit has."""
        return {"instructions": {unit: program.program.count(unit) for unit in "cf"}}

    def reproduce(self, console: Any, folder: Path | None, only: str | None) -> dict[str, Any]:
        from sparseforge.reproduce.tnpu import reproduce
        return reproduce(console, folder, only)


def _check(layer: Layer, tensors: Tensors) -> None:
    if layer.shift or layer.product_shift or layer.multiplier != 1:
        raise ValueError(f"{layer.name}: fp32 has no shift and no multiplier; leave them out")
    if layer.pool and layer.pool.kind == "avg":
        raise ValueError(f"{layer.name}: integers' averages are rounded, fp32's are not: pool with "
                         f"max, or train")
    for name, values in (("weights", tensors.weights), ("activations", tensors.activations),
                         ("bias", tensors.bias)):
        if values is not None and values.size and int(np.abs(values).max()) >= 1 << (BITS - 1):
            raise ValueError(f"{layer.name}: {name} must be below 2^{BITS - 1} in size, to be "
                             f"float32 exactly")


def _images(job: Job, phases: tuple[str, ...]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Memory before, and the regions' bytes after, by golden."""
    from golden.tnpu.work import images
    return images(job.program, job.tensors, phases)


def _compare(program: Any, memory: np.ndarray, expected: Mapping[str, np.ndarray]) -> None:
    """RunFailed if a region is not golden's, bit for bit."""
    for name, values in expected.items():
        at = program.regions[name].address(0) - program.base
        got = memory[at:at + values.nbytes].view(np.uint32)
        wrong = int(np.count_nonzero(got != values.view(np.uint32)))
        if wrong:
            raise RunFailed(f"{wrong} of {values.size} numbers of {name} differ from golden's")


def _outputs(program: Any, memory: np.ndarray) -> list[np.ndarray]:
    layers = program.network.layers
    return [program.tensor(memory, f"{'p' if layer.pool else 'y'}{n}")
            for n, layer in enumerate(layers)]


DESIGN = TNPU()
