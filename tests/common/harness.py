"""What every design's Top must pass: random layers, random stalls, and everything that goes wrong.

A design names its compile, models and RTL once (``tests/<design>/design.py``), and its tests are

    given = DESIGN.cases(config, first=5000)
    DESIGN.check(given, DESIGN.rtl.run(build, [c.program for c in given]), BENCH)

    faults = Faults(DESIGN, build, config, layers, tensors, idle_within=70_000)
    faults.corrupted_words(200)
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from golden.layers import Layer
from golden.program import Memory, Program
from golden.tensors import Tensors
from hw.common.axi.errors import ErrorCode
from sim.common import program as host
from sim.common.design import DesignRTL, Run, job
from tests.common.random_layers import ONLY, SEEDS, random_layer, random_tensors

STALLS = {"ar": 0.3, "r": 0.5, "aw": 0.3, "w": 0.5, "b": 0.4}


@dataclass(frozen=True)
class Case:
    """A random layer and its program."""

    seed: int
    layers: Sequence[Layer]
    tensors: Sequence[Tensors]
    program: Program


@dataclass(frozen=True, kw_only=True)
class Design:
    """What a design names.

    rtl : as in ``sim/<design>/run.py``
    compile : (layers, tensors, config) -> Program
    golden : (layers, tensors, config) -> results with ``outputs``, one per layer
    cycles : (program, latency, outstanding, bandwidth) -> a report with ``segment_cycles``,
        ``causes`` (PE-cycles) and ``counters`` (the others), as the RTL has them
    refusals : what compile says of a layer that this machine is too small for
    layer, tensors : how random ones are made, from (rnd) and (rng, layer)
    """

    rtl: DesignRTL
    compile: Callable[..., Any]
    golden: Callable[..., Any]
    cycles: Callable[..., Any]
    refusals: tuple[str, ...] = ()
    layer: Callable[..., Layer] = random_layer
    tensors: Callable[..., Tensors] = random_tensors

    def case(self, seed, config):
        """The random layer of a seed; None if the machine is too small."""
        layer = self.layer(random.Random(seed))
        tensors = self.tensors(np.random.default_rng(seed), layer)
        try:
            return Case(seed, [layer], [tensors], self.compile([layer], [tensors], config))
        except ValueError as error:
            assert any(rule in str(error) for rule in self.refusals), (seed, error)
            return None

    def cases(self, config, first, count=SEEDS):
        """`count` cases of the seeds from `first` on; with SPARSEFORGE_SEED that one alone."""
        seeds = [int(ONLY)] if ONLY else range(first, first + 50 * count)
        out = []
        for seed in seeds:
            one = self.case(seed, config)
            if one and len(out) < count:
                out.append(one)
            if len(out) == count:
                break
        print(f"{self.rtl.name}: seeds {', '.join(str(one.seed) for one in out)}")
        assert ONLY or len(out) == count, f"only {len(out)} of 50 x {count} seeds fit {config}"
        return out

    def check(self, cases, runs, memory):
        """Outputs bit for bit; cycles and counters equal to the model's.

        `memory`: what the runs had, without stalls; None if it stalled, which no model predicts.
        """
        for case, run in zip(cases, runs, strict=True):
            told = f"seed {case.seed} (SPARSEFORGE_SEED): {case.layers}"
            assert all(code == 0 for code, _ in run.errors), (told, run.errors)
            expected = self.golden(case.layers, case.tensors, case.program.config)[-1].outputs
            assert same(run.outputs(), expected), told
            if memory is None:
                continue
            report = self.cycles(case.program, **memory.as_dict())
            assert run.cycles == report.segment_cycles, told
            assert run.causes == report.causes, told
            assert run.counters == report.counters, told


def same(images, expected):
    """One image's outputs are `expected`, to the last bit (NaNs, too)."""
    got = np.stack(images).reshape(expected.shape)
    if expected.dtype.kind == "f":
        return np.array_equal(got.view(np.uint32), expected.view(np.uint32))
    return np.array_equal(got, expected)


def random_memory(rnd):
    return Memory(latency=rnd.choice([1, 20, 64]), outstanding=rnd.choice([1, 2, 8]),
                  bandwidth=rnd.choice([(1, 1), (1, 2), (2, 3)]))


class Faults:
    """A good program of one segment, and what must hold whatever disturbs it.

    `idle_within`: cycles, the watchdog's and what comes before and after.
    """

    def __init__(self, design, build, config, layers, tensors, *, idle_within):
        self.design, self.build = design, build
        self.program = design.compile(layers, tensors, config)
        self.segment, = self.program.segments
        self.expected = design.golden(layers, tensors, config)[-1].outputs
        self.clean = job(self.segment, max_cycles=idle_within)
        first, second = self.run([self.clean, replace(self.clean, reset=False)])
        self.usual = first.cycles, second.cycles      # after a reset, and not
        self.good(first)
        self.good(second)

    def run(self, jobs):
        """Jobs in one simulator process; a rule of the bus broken fails the test in any case."""
        results = host.run_programs(self.build, jobs, check=False)
        for result in results:
            assert result.violation == "none"
            assert result.registers["STATUS"] & 1 == 0, "still busy"
        return results

    def good(self, result):
        """The result of a good run: no error, the right outputs, the usual cycles."""
        assert result.finished
        assert result.registers["ERROR"] == 0
        assert same(Run(self.design.rtl, self.program, (result,)).outputs(), self.expected)
        assert result.cycles in self.usual

    def nothing_elsewhere(self, image, result):
        """Only the regions that the program stores to may differ from the image."""
        allowed = np.zeros(len(image), bool)
        for first, end in self.segment.stored:
            allowed[first:end] = True
        before, after = (np.frombuffer(data, np.uint8, len(image))
                         for data in (image, result.memory))
        assert not ((before != after) & ~allowed).any(), "written outside the store regions"

    def disturbed(self, code, **changes):
        """A run with a changed job ends with error `code` (one of several, None: any or none), has
        written nothing elsewhere, and the next run is good. Its result."""
        bad, after = self.run([replace(self.clean, **changes), replace(self.clean, reset=False)])
        codes = code if isinstance(code, tuple) else (code,)
        assert code is None or bad.registers["ERROR"] in codes, bad.registers
        self.nothing_elsewhere(changes.get("image", self.segment.image), bad)
        self.good(after)
        return bad

    def corrupted_words(self, count, seed=1):
        """A random word of the image is wrong: an error, or the right output; then a good run.

        Returns how many ended in an error.
        """
        rnd, jobs, images = random.Random(seed), [], []
        for _ in range(count):
            image = bytearray(self.segment.image)
            at = rnd.randrange(len(image) // 8) * 8
            image[at:at + 8] = rnd.randbytes(8)
            images.append(bytes(image))
            jobs += [replace(self.clean, image=bytes(image), reset=False),
                     replace(self.clean, reset=False)]
        results, failed = self.run(jobs), 0
        for n, (image, bad, after) in enumerate(
                zip(images, results[::2], results[1::2], strict=True)):
            assert bad.finished, f"image {n}: no irq in time"
            if bad.registers["ERROR"]:
                failed += 1
            else:
                self.good(bad)
            self.nothing_elsewhere(image, bad)
            self.good(after)
        return failed

    def bus_error(self, kind, address):
        """SLVERR at a byte address, on a "read" or a "write"."""
        code = ErrorCode.READ_SLVERR if kind == "read" else ErrorCode.WRITE_SLVERR
        return self.disturbed(code, fault=(kind, address))

    def stopped(self, cycle):
        """CONTROL.stop after so many cycles."""
        return self.disturbed(ErrorCode.STOPPED, events=((cycle, "CONTROL", 2),))

    def reset(self, cycle):
        """A reset after so many cycles."""
        return self.disturbed(None, events=((cycle, "reset"),))

    def window_ends_at(self, address, code=ErrorCode.WRITE_WINDOW):
        """The window ends before what is stored."""
        writes = tuple((name, address if name == "WINDOW_SIZE_LO" else value)
                       for name, value in self.clean.writes)
        bad = self.disturbed(code, writes=writes)
        assert bad.memory[:len(self.segment.image)] == self.segment.image
