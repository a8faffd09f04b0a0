"""Batches of digits through the RTL: every weight against golden's, cycles against the model's."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from golden.tnpu import timing, train
from golden.tnpu.compile import compile
from golden.tnpu.network import Network, Parameters
from golden.tnpu.program import Program
from sparseforge import progress
from sparseforge.rtl import room
from sparseforge.training import digits

if TYPE_CHECKING:
    from sparseforge.training.command import Request


def differing(program: Program, memory: np.ndarray, golden: Parameters) -> int:
    """Weights, biases and velocities in memory that are not golden's, bit for bit."""
    pairs = zip(program.parameters(memory).arrays(), golden.arrays(), strict=True)
    return sum(int(np.count_nonzero(a.view(np.uint32) != b.view(np.uint32))) for a, b in pairs)


def differences(run: Any, timed: timing.Timed) -> list[str]:
    """Figures that the RTL and the model count otherwise."""
    report = timed.report
    pairs = {"cycles": (run.cycles, report.cycles)}
    pairs |= {name: (run.causes[name], count) for name, count in report.causes.items()}
    pairs |= {name: (run.counters[name], count) for name, count in report.counters.items()}
    return [f"{name} {got} in the RTL, {said} in the model" for name, (got, said) in pairs.items()
            if got != said]


@dataclasses.dataclass(frozen=True)
class Step:
    """One batch: what must come of it."""

    image: np.ndarray
    golden: Parameters
    loss: float


def steps(net: Network, program: Program, parameters: Parameters, batches: list[tuple[
        np.ndarray, np.ndarray]], rate: float, momentum: float) -> list[Step]:
    """The batches by golden, one after the other, with the image that the hardware is given."""
    out = []
    for inputs, targets in batches:
        image = program.image(parameters, inputs, targets)
        done = train.step(net, parameters, inputs, targets, rate=rate, momentum=momentum)
        out.append(Step(image, parameters.copy(), train.loss(net, done, targets)))
    return out


def train_rtl(net: Network, parameters: Parameters, batches: list[tuple[np.ndarray, np.ndarray]],
              config: Any, *, rate: float, momentum: float, simulator: str, seed: int = 1,
              **options: Any) -> dict[str, Any]:
    """Trains on these batches; `options` are those of `compile`.

    Each begins with what golden's batch before it left, which is what the hardware's left, or the
    count of differing weights says so.
    """
    import sim.tnpu.run as rtl
    program = compile(net, config, len(batches[0][0]), rate=rate, momentum=momentum, **options)
    expected = steps(net, program, parameters, batches, rate, momentum)
    started = time.monotonic()
    build = rtl.build_top(config, simulator, **room(program.end, simulator))
    runs = rtl.run_programs(build, [(program, step.image) for step in expected], seed=seed)
    timed = timing.time(program)
    wrong = [differing(program, run.memory, step.golden)
             for run, step in zip(runs, expected, strict=True)]
    return {"steps": len(batches), "cycles": [run.cycles for run in runs],
            "model_cycles": timed.cycles, "mismatches": sum(wrong),
            "weights": sum(value.size for value in parameters.arrays()),
            "differences": sorted({text for run in runs for text in differences(run, timed)}),
            "losses": [step.loss for step in expected], "wall_s": time.monotonic() - started}


def train_request(request: Request, console: Console) -> dict[str, Any]:
    """The first batches of the first epoch, as ``sparseforge train`` asks."""
    net = digits.network(request.loss)
    training, _ = digits.load()
    batches: list[tuple[np.ndarray, np.ndarray]] = []
    epoch = 1
    while len(batches) < request.steps:
        batches += digits.batches(training, request.batch, request.seed, epoch)
        epoch += 1
    with progress.working(f"{request.simulator}: {request.steps} batches of {request.batch}"):
        out = train_rtl(net, digits.start(net, request.seed), batches[:request.steps],
                        request.config, rate=request.rate, momentum=request.momentum,
                        schedule=request.schedule, look_ahead=request.look_ahead,
                        fc_gradients=request.fc_gradients, simulator=request.simulator)
    console.print(f"{request.simulator}: {out['steps']} batches of {request.batch}, "
                  f"{out['cycles'][0]:,} cycles each (model {out['model_cycles']:,}); "
                  f"{out['mismatches']} of {out['weights']:,} numbers differ from golden's; loss "
                  f"{out['losses'][0]:.4f} to {out['losses'][-1]:.4f}; {out['wall_s']:.1f} s",
                  highlight=False)
    return out
