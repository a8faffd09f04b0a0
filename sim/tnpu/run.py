"""Compiled batches on the RTL of TNPU: the memory that each leaves, cycles, counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from golden.program import Segment
from golden.tnpu.host import form_errors
from golden.tnpu.program import Program
from hw.tnpu.config import CAUSES, TNPUConfig
from hw.tnpu.pe import PE
from hw.tnpu.row import Row
from hw.tnpu.top import Top
from sim.common.design import FAST, DesignRTL, Run
from sim.common.runner import Build
from sim.tnpu.cover import FACTS, POINTS


class Part(NamedTuple):
    """A descriptor's run: where it may write."""

    stored: tuple[int, int]


@dataclass(frozen=True)
class Batch:
    """A program and the memory that it starts from, as `DesignRTL` runs it."""

    program: Program
    segments: tuple[Segment[Any], ...]

    @property
    def config(self) -> TNPUConfig:
        return self.program.config


def batch(program: Program, image: np.ndarray) -> Batch:
    """`image`: uint8 from the program's base on."""
    whole = np.zeros(program.end, np.uint8)
    whole[program.base:] = image
    descriptor, at = program.descriptor(), program.descriptor_at
    whole[at:at + len(descriptor)] = np.frombuffer(descriptor, np.uint8)
    # Inputs and targets come first; everything behind them is the machine's to write.
    first = min(region.base for name, region in program.regions.items()
                if name not in ("input", "target"))
    return Batch(program, (Segment(image=whole.tobytes(), base=0, desc_addr=at,
                                   passes=(Part((first, program.end)),)),))


def memory(run: Run) -> np.ndarray:
    """Memory after a batch, uint8 from the program's base on."""
    return _from_base(run.results[-1].memory, run.program.program)


def outputs(memories: Sequence[bytes], given: Batch, index: int) -> list[np.ndarray]:
    """What training is for: all weights, biases and velocities in one array."""
    trained = given.program.parameters(_from_base(memories[-1], given.program))
    return [trained.flat()]


def _from_base(whole: bytes, program: Program) -> np.ndarray:
    return np.frombuffer(whole, np.uint8)[program.base:program.end]


# CRCs and rotated buffers make functions of a megabyte, minutes each for the C++ compiler: split.
SPLIT = ("--output-split", "5000", "--output-split-cfuncs", "500")
RTL = DesignRTL("tnpu", Top, causes=CAUSES, outputs=outputs,
                blocks=lambda config: (Row, PE) if config.multipliers >= FAST else (Row,),
                pes=lambda config: config.multipliers, options={"opt": 1, "flags": SPLIT},
                points=POINTS, facts=FACTS)


class Trained(NamedTuple):
    """A batch that went through the RTL."""

    memory: np.ndarray          # after it, uint8 from the programs' base on
    runs: tuple[Run, ...]       # of its programs
    host_words: int             # that the host moved between them


def train(build: Build, parts: Sequence[Program], images: Sequence[np.ndarray], **options: Any
          ) -> list[Trained]:
    """Batches of their own, each the programs `parts` over one memory, the host between them.

    `options` are those of `DesignRTL.run`.
    """
    out = [Trained(image, (), 0) for image in images]
    for n, program in enumerate(parts):
        if n:
            done = [form_errors(program, one.memory) for one in out]
            out = [Trained(d.memory, one.runs, one.host_words + d.words)
                   for one, d in zip(out, done, strict=True)]
        runs = RTL.run(build, [batch(program, one.memory) for one in out], **options)
        out = [Trained(memory(run), (*one.runs, run), one.host_words)
               for one, run in zip(out, runs, strict=True)]
    return out
