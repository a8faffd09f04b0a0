"""The performance model of S² Engine: cycles and counters of a whole program, exact.

`cycles` predicts what the hardware's CYCLES register and counters show after a run against the
bench memory without stalls. Beside it stands what the array alone takes: from a pass's first token
in to its last result out, buffers and memory aside. Cycles are those of the DSs' clock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from golden.dense.timing import naive_run
from golden.program import Memory
from golden.s2engine.array import CAUSES
from golden.s2engine.capacity import capacity, idle_share, must_macs
from golden.s2engine.image import LayerPass, Program
from golden.s2engine.layout import descriptor_bytes
from golden.s2engine.machine import PassRun, run_pass
from golden.s2engine.plan import Plan
from golden.s2engine.timing import ArrayRun, array_runs

CLOSING = 3             # a run's first cycle, and two after the last pass until irq


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a program takes; by pass, in order."""

    program: Program
    runs: tuple[PassRun, ...]

    @cached_property
    def array(self) -> tuple[ArrayRun, ...]:
        """What the array alone takes, with the FIFOs' high-water marks."""
        passes = self.program.passes
        if self.program.config.naive:
            return tuple(naive_run(one.plan) for one in passes)
        return tuple(array_runs([one.plan for one in passes],
                                ce=all(one.descriptor["ce"] for one in passes), marks=True))

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

    def array_of(self, index: int | None = None) -> dict[str, Any]:
        """Figures of one layer, or of all, in the array alone: `runs` are not asked."""
        mine = [(p.plan, a) for p, a in zip(self.program.passes, self.array, strict=True)
                if index in (None, p.index)]
        counts = self._counts([p for p, _ in mine], [a for _, a in mine])
        return {"cycles": counts["array_cycles"],
                "causes": {name: sum(a.causes[name] for _, a in mine) for name in CAUSES},
                "macs_done": sum(a.products for _, a in mine), "read_beats": 0, "write_beats": 0,
                "counts": counts, "fifo_marks": _marks([a for _, a in mine]),
                "idle_share": idle_share([p for p, _ in mine])}

    def _mine(self, index: int | None) -> list[tuple[Plan, PassRun, ArrayRun]]:
        """The passes of a layer, or all."""
        return [(p.plan, r, a) for p, r, a in zip(self.program.passes, self.runs, self.array,
                                                  strict=True) if index in (None, p.index)]

    def of(self, index: int | None = None) -> dict[str, Any]:
        """Figures of one layer, or of all: plain values. A segment's `CLOSING` cycles are its last
        pass's."""
        mine = self._mine(index)
        ends = {id(s.passes[-1].plan) for s in self.program.segments}
        closing = CLOSING * sum(id(plan) in ends for plan, _, _ in mine)
        causes = {name: sum(r.causes[name] for _, r, _ in mine) for name in ("idle", *CAUSES)}
        causes["idle"] += self.program.config.pes * closing
        return {
            "cycles": sum(r.cycles for _, r, _ in mine) + closing, "causes": causes,
            "macs_done": sum(a.products for _, _, a in mine),
            "read_beats": sum(r.read_beats for _, r, _ in mine),
            "write_beats": sum(r.write_beats for _, r, _ in mine),
            "counts": self._counts([p for p, _, _ in mine], [a for _, _, a in mine]),
            "fifo_marks": _marks([a for _, _, a in mine]),
            "idle_share": idle_share([p for p, _, _ in mine])}

    def _counts(self, plans: list[Plan], runs: list[ArrayRun]) -> dict[str, int]:
        """Of the array alone, and of the buffers."""
        counts = {name: sum(getattr(run, name) for run in runs) for name in (
            "fb_groups", "fb_tokens", "fb_tokens_alone", "wb_tokens")}
        feature, weight = self.program.config.feature_bits, self.program.config.weight_bits
        held = [capacity(plan) for plan in plans]
        out = {"array_cycles": sum(run.cycles for run in runs), "must_macs": must_macs(plans),
               "ds_steps": sum(run.steps for run in runs), **counts}
        for n, (tokens_read, name) in enumerate((("fb_tokens", ""),
                                                 ("fb_tokens_alone", "_without_ce"))):
            out[f"buffer_read_bits{name}"] = (counts[tokens_read] * feature
                                              + counts["wb_tokens"] * weight)
            out[f"buffer_bits{name}"] = sum(h[n] * feature + h[2] * weight for h in held)
        return out


def _marks(runs: list[ArrayRun]) -> list[int]:
    return [max(run.marks[n] for run in runs) for n in range(3)]


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
