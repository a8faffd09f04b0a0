"""The cycle model of a whole program on S² Engine: cycles and counters, memory included.

`cycles` predicts what the hardware's CYCLES register and counters show after a run against the
bench memory without stalls; `golden.s2engine.cycles` is of the array alone. Cycles are those of the
DSs' clock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from golden.program import Memory
from golden.s2engine.array import CAUSES
from golden.s2engine.image import LayerPass, Program
from golden.s2engine.layout import descriptor_bytes
from golden.s2engine.machine import PassRun, run_pass

CLOSING = 3             # a run's first cycle, and two after the last pass until irq


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a program takes; by pass, in order."""

    program: Program
    runs: tuple[PassRun, ...]

    @property
    def segment_cycles(self) -> tuple[int, ...]:
        """Each segment's cycles from start to irq: its CYCLES register."""
        runs = iter(self.runs)
        return tuple(CLOSING + sum(next(runs).cycles for _ in segment.passes)
                     for segment in self.program.segments)

    @property
    def cycles(self) -> int:
        """From start to irq; of several segments the sum."""
        return sum(self.segment_cycles)

    @property
    def causes(self) -> dict[str, int]:
        """PE-cycles by cause, as the hardware's counters; they sum to PEs × cycles."""
        total = {name: sum(r.causes[name] for r in self.runs) for name in ("idle", *CAUSES)}
        total["idle"] += self.program.config.pes * CLOSING * len(self.program.segments)
        return total

    @property
    def counters(self) -> dict[str, int]:
        """The hardware's other counters."""
        return {name: sum(r.counters[name] for r in self.runs) for name in self.runs[0].counters}


@dataclass(frozen=True)
class _Job:
    """A pass by its place in the program."""

    one: LayerPass
    first: bool             # of its segment
    address: int            # of its descriptor
    image: bytes
    base: int

    def run(self, program: Program, memory: Memory,
            rates: tuple[int, int] | None = None) -> PassRun:
        return run_pass(self.one, self.address, self.image, self.base, program.config, memory,
                        rates)


def _jobs(program: Program) -> Iterator[_Job]:
    size = descriptor_bytes(program.config)
    for segment in program.segments:
        for n, one in enumerate(segment.passes):
            yield _Job(one, n == 0, segment.desc_addr + n * size, segment.image, segment.base)


def _in_order(jobs: list[_Job], program: Program, memory: Memory) -> Iterator[PassRun]:
    """One after the other: a pass may find the token buckets as the one before left them."""
    rates = None
    for job in jobs:
        run = job.run(program, memory, None if job.first else rates)
        rates = run.rates
        yield run


def cycles(program: Program, *, latency: int = 64, outstanding: int = 8,
           bandwidth: tuple[int, int] = (1, 1), workers: int | None = None) -> Report:
    """What `program` takes against a memory of this latency, bursts and (beats, cycles).

    `workers`: threads, by default one per core; the result does not depend on them. Raises
    ValueError for a memory that cannot be.
    """
    memory, jobs = Memory(latency, outstanding, bandwidth), list(_jobs(program))
    if bandwidth[0] == bandwidth[1]:        # the buckets are always full
        order = sorted(range(len(jobs)), key=lambda n: -jobs[n].one.plan.weight_masks.shape[0]
                       * jobs[n].one.plan.groups * jobs[n].one.plan.stage.pixels)
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            done = dict(zip(order, pool.map(lambda n: jobs[n].run(program, memory), order),
                            strict=True))
        runs = tuple(done[n] for n in range(len(jobs)))
    else:
        runs = tuple(_in_order(jobs, program, memory))
    return Report(program=program, runs=runs)
