"""Runs compiled batches on the RTL of TNPU: the memory that each leaves, cycles, counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden.program import Memory
from golden.tnpu import cycles, timing
from golden.tnpu.program import Program
from hw.emit import emit
from hw.tnpu.config import CAUSES, TNPUConfig
from hw.tnpu.engine import COUNTERS
from hw.tnpu.pe import PE
from hw.tnpu.row import Row
from hw.tnpu.top import Top
from sim.common import program as host
from sim.common.design import BENCH, FAST, PATIENCE
from sim.common.runner import Build

# CRCs and rotated buffers make functions of a megabyte, minutes each for the C++ compiler: split.
SPLIT = ("--output-split", "5000", "--output-split-cfuncs", "500")


@dataclass(frozen=True)
class Run:
    """What a batch did."""

    program: Program
    result: host.RunResult

    @property
    def cycles(self) -> int:
        return host.wide(self.result.registers, "CYCLES")

    @property
    def error(self) -> tuple[int, int]:
        """ERROR and ERROR_INFO."""
        return self.result.registers["ERROR"], self.result.registers["ERROR_INFO"]

    @property
    def causes(self) -> dict[str, int]:
        """PE-cycles by cause; the counters are cleared in the first cycle, in which all idle."""
        out = {name: host.wide(self.result.registers, name.upper()) for name in CAUSES}
        out["idle"] += self.program.config.multipliers
        return out

    @property
    def counters(self) -> dict[str, int]:
        """The other counters, NaNs written among them."""
        return {name: host.wide(self.result.registers, name.upper())
                for name in COUNTERS if name not in CAUSES}

    @property
    def memory(self) -> np.ndarray:
        """Memory after the run, uint8 from the program's base on."""
        return np.frombuffer(self.result.memory, np.uint8)[self.program.base:self.program.end]


def model(program: Program, memory: Memory = BENCH) -> cycles.Report:
    """The cycle model of the same run."""
    return timing.time(program, memory).report


def build_top(config: TNPUConfig, simulator: str, **options: Any) -> Build:
    """The Top with its memory, built for a simulator (or found built)."""
    if simulator == "verilator":
        usual: dict[str, Any] = {"hier": (Row,), "opt": 1}
        if config.multipliers >= FAST:
            usual |= {"hier": (Row, PE), "flags": SPLIT}
        options = usual | options
    return host.build_program(emit(Top(config), "tnpu"), simulator=simulator, **options)


def job(program: Program, image: np.ndarray, memory: Memory = BENCH, **options: Any) -> host.Job:
    """A batch as a job of the program runner; `image` is uint8 from the program's base on."""
    whole = np.zeros(program.end, np.uint8)
    whole[program.base:] = image
    descriptor, at = program.descriptor(), program.descriptor_at
    whole[at:at + len(descriptor)] = np.frombuffer(descriptor, np.uint8)
    writes = (("WINDOW_BASE_LO", 0), ("WINDOW_SIZE_LO", program.end), ("WINDOW_SIZE_HI", 0),
              *host.start_writes(at, 1))
    return host.Job(image=whole.tobytes(), writes=writes, **memory.as_dict(),
                    **{"max_cycles": PATIENCE, **options})


def run_programs(build: Build, given: Sequence[tuple[Program, np.ndarray]], *,
                 memory: Memory = BENCH, seed: int = 1, check: bool = True, waves: Any = None,
                 **options: Any) -> list[Run]:
    """Runs (program, image)s one after the other in one simulator process, a reset before each."""
    jobs = [job(program, image, memory, **options) for program, image in given]
    results = host.run_programs(build, jobs, seed=seed, check=check, waves=waves)
    return [Run(program, result) for (program, _), result in zip(given, results, strict=True)]
