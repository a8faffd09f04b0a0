"""The performance model of SCNN: cycles and counters of a whole program, exact.

`cycles` predicts what the hardware's CYCLES register and counters show after a run against the
bench memory without stalls. Passes begin with everything idle, so they are computed apart, in as
many processes as there are cores; the result does not depend on how many.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden.program import Memory
from golden.scnn.layer import CAUSES, PassReport, run_pass
from golden.scnn.layout import descriptor_bytes
from golden.scnn.program import Program
from hw.scnn.config import SCNNConfig

CLOSING = 3             # a run's first cycle, and two after the last pass until irq
NO_SEGMENT = -1
WORTH_FORKING = 2000    # lines of weights below which one process is faster


@dataclass(frozen=True, kw_only=True)
class LayerShare:
    """One layer of a run. `cycles_layer` leaves out its load and store, unless it is tiled."""

    cycles: int
    cycles_layer: int
    products: int
    causes: dict[str, int]
    remainder: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a program takes. PE-cycles unless another unit is given."""

    config: SCNNConfig
    memory: Memory
    passes: tuple[PassReport, ...]
    layers: tuple[tuple[int, int], ...]     # image and layer of each pass
    segments: tuple[int, ...]               # segment of each pass
    multipliers: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "multipliers", self.config.multipliers)
        assert sum(self.causes.values()) == self.config.pes * self.cycles
        assert all(count >= 0 for count in self.waterfall.values())

    @property
    def segment_cycles(self) -> tuple[int, ...]:
        """Each segment's cycles from start to irq: its CYCLES register."""
        out = [CLOSING] * (max(self.segments) + 1)
        for at, one in zip(self.segments, self.passes, strict=True):
            out[at] += one.cycles
        return tuple(out)

    @property
    def cycles(self) -> int:
        """From start to irq; of several segments the sum."""
        return sum(self.segment_cycles)

    @property
    def cycles_layer(self) -> int:
        """`cycles` without loading the first layer's input and storing the last one's output.

        Layers of several passes (DRAM tiles) keep their transfers: no chain would save them.
        """
        return self.cycles - self._saved(0, load=True) - self._saved(-1, load=False)

    def _saved(self, at: int, load: bool) -> int:
        """Cycles of a pass that a chain would not need."""
        one = self.passes[at]
        if self.layers.count(self.layers[at]) > 1:
            return 0
        return one.load_cycles if load else one.store_cycles

    def layer(self, index: int) -> LayerShare:
        """A layer's share of the run, over all images; the shares' `cycles` sum to the run's."""
        mine = [n for n, (_, layer) in enumerate(self.layers) if layer == index]
        after = [*self.segments[1:], NO_SEGMENT]
        closing = CLOSING * sum(after[n] != self.segments[n] for n in mine)
        causes = {name: sum(self.passes[n].causes[name] for n in mine) for name in CAUSES}
        causes["idle"] += self.config.pes * closing
        total = sum(self.passes[n].cycles for n in mine) + closing
        return LayerShare(
            cycles=total, causes=causes, products=sum(self.passes[n].products for n in mine),
            remainder=sum(self.passes[n].remainder for n in mine),
            cycles_layer=total - sum(self._saved(n, load) for n in mine for load in (True, False)))

    @property
    def causes(self) -> dict[str, int]:
        """PE-cycles by cause, as the hardware's counters; they sum to PEs x cycles."""
        total = {name: sum(one.causes[name] for one in self.passes) for name in CAUSES}
        total["idle"] += self.config.pes * CLOSING * (max(self.segments) + 1)
        return total

    @property
    def products(self) -> int:
        """Multiplications of two non-zero operands: MACs done."""
        return sum(one.products for one in self.passes)

    @property
    def counters(self) -> dict[str, int]:
        """The hardware's counters that are no causes."""
        return {"products": self.products}

    @property
    def vectors(self) -> int:
        """Vectors of products: PE-cycles that multiplied."""
        return sum(one.vectors for one in self.passes)

    @property
    def remainder(self) -> int:
        """Barrier PE-cycles of the planar remainder, see `golden.scnn.layer.barrier`."""
        return sum(one.remainder for one in self.passes)

    @property
    def behind(self) -> int:
        """Starved PE-cycles that the group's busiest PE explains, at most.

        The broadcast goes at the pace of the slowest PE, so that a PE with less work starves
        before it ever waits at the barrier.
        """
        return sum(one.behind for one in self.passes)

    @property
    def waterfall(self) -> dict[str, int]:
        """Multiplier-cycles: products and each loss; they sum to multipliers x cycles."""
        lanes, causes = self.config.lanes, self.causes
        return {
            "products": self.products,
            "fragment": causes["multiply"] * lanes - self.products,
            "conflict": causes["conflict"] * lanes,
            "starved": causes["starved"] * lanes,
            "remainder": self.remainder * lanes,
            "imbalance": (causes["barrier"] - self.remainder) * lanes,
            "drain": causes["drain"] * lanes,
            "load": causes["load"] * lanes,
            "idle": causes["idle"] * lanes,
        }

    @property
    def read_bytes(self) -> int:
        return sum(one.read_beats for one in self.passes) * self.config.memory_bits // 8

    @property
    def write_bytes(self) -> int:
        return sum(one.write_beats for one in self.passes) * self.config.memory_bits // 8

    @property
    def utilization(self) -> float:
        """Products per multiplier and cycle."""
        return self.products / (self.config.multipliers * self.cycles)

    def busy(self, bins: int = 100) -> np.ndarray:
        """Share of cycles in which each PE multiplied, float64 ``[PEs, bins]`` over the run.

        Coarse: a group's vectors are spread evenly over the PE's work on it.
        """
        edges = np.linspace(0, self.cycles, bins + 1)
        out = np.zeros((self.config.pes, bins))
        begin = 0
        for n, one in enumerate(self.passes):
            for group, run in enumerate(one.groups.run):
                for pe in np.flatnonzero(one.groups.multiply[group]):
                    span = begin + run, begin + one.groups.flushed[group, pe]
                    inside = np.diff(np.clip(edges, *span))
                    out[pe] += inside * one.groups.multiply[group, pe] / (span[1] - span[0])
            begin += one.cycles
            if n + 1 < len(self.passes) and self.segments[n + 1] != self.segments[n]:
                begin += CLOSING
        return out / np.diff(edges)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "cycles": self.cycles, "cycles_layer": self.cycles_layer, "causes": self.causes,
            "waterfall": self.waterfall, "macs_done": self.products, "vectors": self.vectors,
            "barrier_remainder": self.remainder,
            "barrier_imbalance": self.causes["barrier"] - self.remainder,
            "read_bytes": self.read_bytes, "write_bytes": self.write_bytes,
            "occupancy": self.utilization, "memory": self.memory.as_dict(),
            "passes": [{"layer": layer[1], "cycles": one.cycles, "causes": one.causes,
                        "macs_done": one.products} for layer, one in zip(
                            self.layers, self.passes, strict=True)],
        }


@dataclass(frozen=True)
class _Job:
    """A pass, by its place in the program, and how it begins."""

    segment: int
    index: int
    cold: bool
    rate: tuple[int, int] | None = None


_shared: list[tuple[Program, Memory]] = []      # what the forked processes inherit


def _run(job: _Job) -> PassReport:
    program, memory = _shared[-1]
    segment, config = program.segments[job.segment], program.config
    size = descriptor_bytes(config)
    return run_pass(segment.passes[job.index], segment.desc_addr + job.index * size, config,
                    memory, cold=job.cold, rate=job.rate)


def _run_all(jobs: list[_Job], lines: list[int], workers: int) -> list[PassReport]:
    """All jobs, the longest first, in so many processes; results in the order of the jobs."""
    if workers == 1 or len(jobs) == 1 or sum(lines) < WORTH_FORKING:
        return [_run(job) for job in jobs]
    *order, first = sorted(range(len(jobs)), key=lambda n: -lines[n])
    # The first one here, so that what must be compiled is compiled once, before the fork.
    results = {first: _run(jobs[first])}
    # Fork: the program is inherited, not copied; nothing here starts threads.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        results |= zip(order, pool.map(_run, [jobs[n] for n in order]), strict=True)
    return [results[n] for n in range(len(jobs))]


def _settled(jobs: list[_Job], reports: list[PassReport], memory: Memory) -> Iterator[PassReport]:
    """The reports; passes that began with an emptier token bucket than assumed are run again."""
    full = sum(memory.bandwidth) - 1
    rate = full, full
    for job, report in zip(jobs, reports, strict=True):
        if job.index == 0:
            rate = full, full
        if rate != (full, full):
            report = _run(_Job(job.segment, job.index, job.cold, rate))
        rate = report.rate
        yield report


def cycles(program: Program, *, latency: int = 64, outstanding: int = 8,
           bandwidth: tuple[int, int] = (1, 1), cold: bool = True,
           workers: int | None = None) -> Report:
    """What `program` takes against a memory of this latency, bursts and (beats, cycles).

    `cold`: the first segment follows a reset; later segments follow without one. `workers`:
    processes, by default one per core. Raises ValueError for a program whose inputs or outputs are
    not known, a configuration beyond the model's words, or a memory that cannot be.
    """
    memory = Memory(latency=latency, outstanding=outstanding, bandwidth=bandwidth)
    jobs = [_Job(s, n, cold and s == 0 and n == 0)
            for s, segment in enumerate(program.segments) for n in range(len(segment.passes))]
    lines = [len(one.weights.target) for one in program.passes]
    _shared.append((program, memory))
    try:
        reports = _run_all(jobs, lines, workers or os.cpu_count() or 1)
        settled = tuple(_settled(jobs, reports, memory))
    finally:
        _shared.pop()
    return Report(config=program.config, memory=memory, passes=settled,
                  layers=tuple((one.image, one.index) for one in program.passes),
                  segments=tuple(job.segment for job in jobs))
