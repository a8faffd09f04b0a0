"""A design's Top under its compiled programs: outputs, cycles, counters, errors of each.

A design names itself once (``sim/<design>/run.py``):

    RTL = DesignRTL("scnn", Top, causes=CAUSES, outputs=decode.outputs, blocks=lambda config: (PE,))
    build = RTL.build(config, "verilator")
    for run in RTL.run(build, programs):
        run.cycles, run.causes, run.counters, run.errors, run.outputs()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden.program import Memory, Segment
from hw.common.axi.shell import shell_registers
from hw.emit import emit_kept
from sim.common import cover
from sim.common import program as host
from sim.common.runner import Build

PATIENCE = 1 << 22      # cycles of a segment, unless told otherwise
BENCH = Memory()
COMMON = {register.name for register in shell_registers(0, 0, ())}
FAST = 16               # PEs of usual size from which on the C++ compiler's optimiser pays


@dataclass(frozen=True)
class DesignRTL:
    """What is run, and how its registers are read.

    name : of the emitted module
    top : its Top, a `hw.common.axi.shell.Shell` made of a config alone
    causes : its counters of PE-cycles by cause, each PE-cycle in exactly one; "idle" among them
    outputs : (memory after each segment, program, index of a layer) -> outputs per input image
    blocks : config -> what Verilator builds apart (the repeated blocks)
    pes : config -> how many PEs the causes count
    options : of Verilator's build of machines of `fast` PEs, where the usual ones do not do
    points, facts : cover points, see `sim.common.cover`: those seen in the RTL (of machines of
        fewer than `fast` PEs), and name -> whether a program that ran has it
    fast : PEs from which on the C++ compiler's optimiser pays for itself
    """

    name: str
    top: type
    causes: tuple[str, ...]
    outputs: Callable[[Sequence[bytes], Any, int], list[np.ndarray]]
    blocks: Callable[[Any], tuple[type, ...]] = lambda config: ()
    pes: Callable[[Any], int] = lambda config: config.pes
    options: Mapping[str, Any] = field(default_factory=dict)
    points: tuple[cover.Point, ...] = ()
    facts: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)
    fast: int = FAST

    @property
    def cover_points(self) -> list[str]:
        """Names of all points that the design's tests must hit."""
        return [*(point.name for point in self.points), *self.facts]

    def build(self, config: Any, simulator: str, **options: Any) -> Build:
        """The Top with its memory, built for a simulator (or found built); `build_program`."""
        large = self.pes(config) >= self.fast
        if simulator == "verilator":
            options = {"hier": self.blocks(config), "opt": 3 if large else 0,
                       **(self.options if large else {}), **options}
        emitted = emit_kept(self.top, config, self.name)
        if not large:
            emitted = cover.instrument(emitted, self.points)
        return host.build_program(emitted, simulator=simulator, **options)

    def run(self, build: Build, programs: Sequence[Any], *, memory: Memory = BENCH,
            seed: int = 1, check: bool = True, waves: Any = None, **options: Any) -> list[Run]:
        """Runs programs (`Program`, or what has its ``config`` and ``segments``) one after the
        other in one simulator process.

        Each begins with a reset, its segments follow each other without. `options` are those of
        `sim.common.program.Job`. With `check`, a program that does not finish or breaks a rule of
        the bus raises BenchFailed.
        """
        jobs = [job(s, memory, **{"reset": n == 0, **options})
                for p in programs for n, s in enumerate(p.segments)]
        results = iter(host.run_programs(build, jobs, seed=seed, check=check, waves=waves))
        runs = [Run(self, p, tuple(next(results) for _ in p.segments)) for p in programs]
        ran = [run.program for run in runs if not any(code for code, _ in run.errors)]
        cover.hit(self.name, [name for name, holds in self.facts.items() if any(map(holds, ran))])
        return runs


@dataclass(frozen=True)
class Run:
    """What a program did. One entry per segment of the program, in order."""

    rtl: DesignRTL
    program: Any
    results: tuple[host.RunResult, ...]

    @property
    def cycles(self) -> tuple[int, ...]:
        """CYCLES of each segment."""
        return tuple(host.wide(r.registers, "CYCLES") for r in self.results)

    @property
    def errors(self) -> tuple[tuple[int, int], ...]:
        """ERROR and ERROR_INFO of each segment."""
        return tuple((r.registers["ERROR"], r.registers["ERROR_INFO"]) for r in self.results)

    def count(self, name: str) -> int:
        """A counter, over all segments."""
        return sum(host.wide(r.registers, name.upper()) for r in self.results)

    @property
    def counters(self) -> dict[str, int]:
        """The counters that are no causes, over all segments."""
        names = [name.removesuffix("_LO").lower() for name in self.results[0].registers
                 if name.endswith("_LO") and name not in COMMON]
        return {name: self.count(name) for name in names if name not in self.rtl.causes}

    @property
    def causes(self) -> dict[str, int]:
        """PE-cycles by cause, over all segments; they sum to PEs × cycles.

        The counters are cleared in a run's first cycle, in which every PE is idle.
        """
        total = {name: self.count(name) for name in self.rtl.causes}
        total["idle"] += self.rtl.pes(self.program.config) * len(self.results)
        return total

    @property
    def read_beats(self) -> int:
        return sum(r.read_beats for r in self.results)

    @property
    def write_beats(self) -> int:
        return sum(r.write_beats for r in self.results)

    @property
    def wall_s(self) -> float:
        return sum(r.wall_s for r in self.results)

    def outputs(self, index: int = -1) -> list[np.ndarray]:
        """Outputs of a layer as they lie in memory, per input image."""
        return self.rtl.outputs([r.memory for r in self.results], self.program, index)


def job(segment: Segment, memory: Memory = BENCH, **options: Any) -> host.Job:
    """A segment as a job of the program runner, its window the image alone."""
    base, size = segment.window
    if base:
        raise ValueError(f"a program for the bench must begin at address 0, not {base:#x}")
    writes = (("WINDOW_BASE_LO", 0), ("WINDOW_SIZE_LO", size), ("WINDOW_SIZE_HI", 0),
              *host.start_writes(segment.desc_addr, segment.desc_count))
    return host.Job(image=segment.image, writes=writes, **memory.as_dict(),
                    **{"max_cycles": PATIENCE, **options})
