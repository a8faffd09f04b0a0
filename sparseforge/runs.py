"""What the verbs ``model``, ``sim`` and ``compare`` do, without the command line."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from golden.program import Memory
from sparseforge import progress
from sparseforge.config import as_dict
from sparseforge.errors import RunFailed, user_input
from sparseforge.files import write_array
from sparseforge.registry import Cycles, Design, Measured, Waves
from sparseforge.report.result import Figures, figures
from sparseforge.workload import Step, Workload

TOGETHER = 16       # programs that one simulator process runs


@dataclasses.dataclass(frozen=True)
class Setting:
    """A design, its config with the preset's name, and the memory."""

    design: Design
    preset: str
    config: Any
    memory: Memory

    def as_dict(self) -> dict[str, Any]:
        return {"design": self.design.name, "config": as_dict(self.preset, self.config),
                "memory": dataclasses.asdict(self.memory)}


@dataclasses.dataclass
class Answer:
    """A run's figures and the plain data that ``--json`` prints."""

    total: Figures
    parts: list[Figures]
    data: dict[str, Any]


def model(setting: Setting, work: Workload, output: Path | None = None) -> Answer:
    """The performance model's figures; `output` takes golden's outputs of a single layer."""
    totals: list[Figures] = []
    parts: list[Figures] = []
    work = _fitted(setting, work)
    for job, program in _programs(setting, work, "model"):
        with user_input():      # what the model does not cover
            predicted = setting.design.cycles(program, setting.config, setting.memory)
        _note(setting, job, program, predicted, totals, parts)
        if output:
            kind = getattr(setting.design, "output_type", np.int64)
            write_array(output, job[-1].outputs.astype(kind))
    return _answer(setting, work, totals, parts, {})


def simulate(setting: Setting, work: Workload, simulator: str, *, seed: int = 1,
             waves: Waves | None = None, output: Path | None = None) -> Answer:
    """The RTL's figures; its outputs are compared with golden's, its counters with the model's.

    The answer's ``mismatches`` counts outputs that differ, ``model_cycles`` is the prediction,
    ``differences`` names the counters that are not as predicted; ``wall_s`` has emission, build and
    simulation, ``simulation_s`` the simulation alone. A network trained on the digits also has
    ``recognised``, the digits that the RTL's outputs name, and ``labels``, the true ones.
    """
    totals: list[Figures] = []
    parts: list[Figures] = []
    facts: dict[str, Any] = {"mismatches": 0, "model_cycles": 0, "differences": [], "wall_s": 0.0,
                             "simulation_s": 0.0}
    work = _fitted(setting, work)
    for batch in _batches(_programs(setting, work, f"sim ({simulator})")):
        programs = [program for _, program in batch]
        started = time.monotonic()
        with progress.working(f"{simulator}: building and running {work.name}"):
            runs = setting.design.simulate(programs, setting.config, setting.memory,
                                           simulator=simulator, seed=seed, waves=waves)
        facts["wall_s"] += time.monotonic() - started
        facts["simulation_s"] += sum(run.wall_s for run in runs)
        for (job, program), run in zip(batch, runs, strict=True):
            predicted = setting.design.cycles(program, setting.config, setting.memory)
            differ = differences(run.cycles, predicted)
            facts["mismatches"] += mismatches(job, run)
            facts["model_cycles"] += predicted.cycles
            facts["differences"] += [f"{job[0].layer.name}: {one}" for one in differ]
            seen = run.cycles if differ else dataclasses.replace(
                run.cycles, layers=predicted.layers, cycles_layer=predicted.cycles_layer,
                about=predicted.about, splits=predicted.splits, counts=predicted.counts)
            _note(setting, job, program, seen, totals, parts)
            if output:
                write_array(output, _last(run))
            shown = work.labels()
            if shown is not None:
                named = _last(run).reshape(len(shown), -1).argmax(1)
                facts |= {"recognised": named.tolist(), "labels": shown.tolist()}
    return _answer(setting, work, totals, parts, {**facts, "simulator": simulator})


def _fitted(setting: Setting, work: Workload) -> Workload:
    shape = setting.design.shape(setting.config)
    return work.fitted(shape.data_bits, shape.acc_bits)


def differences(measured: Cycles, predicted: Cycles) -> list[str]:
    """What the RTL counted otherwise than the model, one text each."""
    names = ("cycles", "macs_done", "read_beats", "write_beats")
    pairs = [(name, getattr(measured, name), getattr(predicted, name)) for name in names]
    pairs += [(cause, measured.stalls.get(cause, 0), predicted.stalls.get(cause, 0))
              for cause in {**measured.stalls, **predicted.stalls}]
    return [f"{name} {got} in the RTL, {said} in the model" for name, got, said in pairs
            if got != said]


def _note(setting: Setting, job: Sequence[Step], program: Any, run: Cycles,
          totals: list[Figures], parts: list[Figures]) -> None:
    """Appends a program's figures and its layers'."""
    total, each = figures(setting.design, setting.config, job, run, setting.memory)
    total.about |= {**run.about, **setting.design.about(program)}
    totals.append(total)
    parts += each


def mismatches(job: Sequence[Step], run: Measured) -> int:
    """Output elements that the RTL got wrong. RunFailed if it gave none at all."""
    if len(run.outputs) != len(job) or run.outputs[-1] is None:
        raise RunFailed(f"{job[-1].layer.name}: the RTL gave no outputs")
    wrong = 0
    for step, got in zip(job, run.outputs, strict=True):
        if got is not None:
            same = got.shape == step.outputs.shape
            wrong += int(np.count_nonzero(got != step.outputs)) if same else step.outputs.size
    return wrong


def _last(run: Measured) -> np.ndarray:
    assert run.outputs[-1] is not None
    return run.outputs[-1]


def _programs(setting: Setting, work: Workload, what: str) -> Iterator[tuple[list[Step], Any]]:
    """Each job and its compiled program, with progress; refusals are the user's to mend."""
    shape = setting.design.shape(setting.config)
    jobs = work.jobs(shape.data_bits, shape.acc_bits, shape.blocks)
    with user_input():
        first = next(jobs)

    def each() -> Iterator[list[Step]]:
        yield first
        while True:
            with user_input():
                job = next(jobs, None)
            if job is None:
                return
            yield job

    for job in progress.steps(each(), work.count, f"{what} {work.name}"):
        with user_input():
            program = setting.design.compile([s.layer for s in job], [s.tensors for s in job],
                                             setting.config)
        yield job, program


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == TOGETHER:
            yield batch
            batch = []
    if batch:
        yield batch


def _answer(setting: Setting, work: Workload, totals: list[Figures], parts: list[Figures],
            facts: dict[str, Any]) -> Answer:
    """All jobs as one: the sum of their cycles, each job starting after the one before."""
    total = totals[0]
    if len(totals) > 1:
        total = Figures("all layers", total.multipliers, total.pes, total.busy, total.ratio)
        for one in totals:
            total.add(one)
        total.check()
    data = {**setting.as_dict(), "layer": work.name, "source": work.source, **total.as_dict(),
            **facts, "layers": [{"name": p.name, **p.as_dict()} for p in parts]}
    compared = [p for p in parts if p.name in work.compared and p.speedup is not None]
    if compared and len(compared) < len(parts):
        dense = sum(p.dense.cycles for p in compared if p.dense)
        data["compared"] = {"layers": [p.name for p in compared], "dense_cycles": dense,
                            "speedup": dense * total.ratio / sum(p.cycles_layer for p in compared)}
    return Answer(total, parts, data)
