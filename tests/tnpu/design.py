"""TNPU's batches, as the common tests see a program."""

from dataclasses import dataclass

import numpy as np

from golden.program import Memory
from golden.tnpu import timing
from golden.tnpu.compile import compile
from golden.tnpu.network import Network
from golden.tnpu.train import step
from sim.tnpu.run import RTL, batch
from tests.common.harness import Design

RATES = {"rate": 0.05, "momentum": 0.9}


@dataclass(frozen=True)
class Task:
    """A network, and how a batch goes through it."""

    network: Network
    schedule: str = "sosm"
    look_ahead: int = 3
    fc_gradients: str = "memory"


def compiled(tasks, tensors, config):
    (task,), ((parameters, inputs, targets),) = tasks, tensors
    program = compile(task.network, config, len(inputs), schedule=task.schedule,
                      look_ahead=task.look_ahead, fc_gradients=task.fc_gradients, **RATES)
    return batch(program, program.image(parameters, inputs, targets))


@dataclass(frozen=True)
class Trained:
    outputs: np.ndarray


def golden(tasks, tensors, config):
    (task,), ((parameters, inputs, targets),) = tasks, tensors
    trained = parameters.copy()
    with np.errstate(all="ignore"):
        step(task.network, trained, inputs, targets, **RATES)
    return [Trained(trained.flat())]


@dataclass(frozen=True)
class Timed:
    """The model's report, as the other designs have theirs."""

    segment_cycles: tuple[int, ...]
    causes: dict[str, int]
    counters: dict[str, int]


def cycles(program, **memory):
    report = timing.time(program.program, Memory(**memory)).report
    return Timed((report.cycles,), report.causes, report.counters | {"nans": 0})


TNPU = Design(rtl=RTL, compile=compiled, golden=golden, cycles=cycles, refusals=(
    "the buffers must hold one row of", "must hold a row of the kernel", "of PU-c must hold",
    "of PU-f must hold", "of PU-f (s_words_f) must hold"))
