"""Runs compiled programs on the RTL of SCNN: outputs, cycles and counters of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden.scnn import decode
from golden.scnn.layer import Memory
from golden.scnn.program import Program, Segment
from hw.emit import emit
from hw.scnn.config import SCNNConfig
from hw.scnn.engine import CAUSES
from hw.scnn.pe import PE
from hw.scnn.top import Top
from sim.common import program as host
from sim.common.runner import Build

PATIENCE = 1 << 22      # cycles of a segment, unless told otherwise
BENCH = Memory()
FAST = 16               # PEs from which on the C++ compiler's optimiser pays for itself


@dataclass(frozen=True)
class Run:
    """What a program did. One entry per segment of the program, in order."""

    program: Program
    results: tuple[host.RunResult, ...]

    @property
    def cycles(self) -> tuple[int, ...]:
        """CYCLES of each segment."""
        return tuple(_wide(r.registers, "CYCLES") for r in self.results)

    @property
    def errors(self) -> tuple[tuple[int, int], ...]:
        """ERROR and ERROR_INFO of each segment."""
        return tuple((r.registers["ERROR"], r.registers["ERROR_INFO"]) for r in self.results)

    @property
    def products(self) -> int:
        return sum(_wide(r.registers, "PRODUCTS") for r in self.results)

    @property
    def causes(self) -> dict[str, int]:
        """PE-cycles by cause, over all segments; they sum to PEs × cycles.

        The counters are cleared in a run's first cycle, in which every PE is idle.
        """
        total = {c: sum(_wide(r.registers, c.upper()) for r in self.results) for c in CAUSES}
        total["idle"] += self.program.config.pes * len(self.results)
        return total

    @property
    def wall_s(self) -> float:
        return sum(r.wall_s for r in self.results)

    def outputs(self, index: int = -1) -> list[np.ndarray]:
        """Outputs of a layer as they lie in memory, per input image."""
        return decode.outputs([r.memory for r in self.results], self.program, index)


def _wide(registers: dict[str, int], name: str) -> int:
    return registers[f"{name}_LO"] | registers[f"{name}_HI"] << 32


def build_top(config: SCNNConfig, simulator: str, **options: Any) -> Build:
    """The Top with its memory, built for a simulator (or found built)."""
    if simulator == "verilator":
        options = {"hier": (PE,), "opt": 3 if config.pes >= FAST else 1, **options}
    return host.build_program(emit(Top(config), "scnn"), simulator=simulator, **options)


def job(segment: Segment, memory: Memory = BENCH, **options: Any) -> host.Job:
    """A segment as a job of the program runner."""
    base, size = segment.window
    if base:
        raise ValueError(f"a program for the bench must begin at address 0, not {base:#x}")
    writes = (("WINDOW_BASE_LO", 0), ("WINDOW_SIZE_LO", size), ("WINDOW_SIZE_HI", 0),
              *host.start_writes(segment.desc_addr, segment.desc_count))
    return host.Job(image=segment.image, writes=writes, latency=memory.latency,
                    outstanding=memory.outstanding, bandwidth=memory.bandwidth,
                    **{"max_cycles": PATIENCE, **options})


def run_programs(build: Build, programs: Sequence[Program], *, memory: Memory = BENCH,
                 seed: int = 1, check: bool = True, waves: Any = None, **options: Any) -> list[Run]:
    """Runs programs one after the other in one simulator process.

    Each begins with a reset, its segments follow each other without. `options` are those of
    `sim.common.program.Job`. With `check`, a program that does not finish or breaks a rule of the
    bus raises BenchFailed.
    """
    jobs = [job(s, memory, **{"reset": n == 0, **options})
            for p in programs for n, s in enumerate(p.segments)]
    results = iter(host.run_programs(build, jobs, seed=seed, check=check, waves=waves))
    return [Run(p, tuple(next(results) for _ in p.segments)) for p in programs]
