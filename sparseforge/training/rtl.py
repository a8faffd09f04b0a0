"""Batches of digits through the RTL: every weight against golden's, cycles against the model's."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from golden.tnpu import cycles, timing, train
from golden.tnpu.compile import compile_parts
from golden.tnpu.network import Network, Parameters
from golden.tnpu.program import Program
from sparseforge import progress
from sparseforge.rtl import LIMIT, room
from sparseforge.training import digits

if TYPE_CHECKING:
    from sparseforge.training.command import Request


def differing(program: Program, memory: np.ndarray, golden: Parameters) -> int:
    """Weights, biases and velocities in memory that are not golden's, bit for bit."""
    pairs = zip(program.parameters(memory).arrays(), golden.arrays(), strict=True)
    return sum(int(np.count_nonzero(a.view(np.uint32) != b.view(np.uint32))) for a, b in pairs)


def differences(run: Any, report: cycles.Report) -> list[str]:
    """Figures that the RTL and the model count otherwise."""
    pairs = {"cycles": (sum(run.cycles), report.cycles)}
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
    """Trains on these batches; `options` are those of `compile_parts`.

    Each begins with what golden's batch before it left, which is what the hardware's left, or the
    count of differing weights says so.
    """
    import sim.tnpu.run as rtl
    parts = compile_parts(net, config, len(batches[0][0]), rate=rate, momentum=momentum, **options)
    expected = steps(net, parts[0], parameters, batches, rate, momentum)
    started = time.monotonic()
    build = rtl.RTL.build(config, simulator, **room(parts[0].end, simulator))
    built = time.monotonic()
    done = rtl.train(build, parts, [step.image for step in expected], seed=seed, max_cycles=LIMIT)
    reports = [timing.time(part).report for part in parts]
    wrong = [differing(parts[0], one.memory, step.golden)
             for one, step in zip(done, expected, strict=True)]
    simulated = sum(run.wall_s for one in done for run in one.runs)
    each = [[run.cycles[0] for run in one.runs] for one in done]
    return {"steps": len(batches), "cycles": [sum(one) for one in each], "cycles_parts": each,
            "model_cycles": sum(report.cycles for report in reports),
            "host_words": done[0].host_words, "mismatches": sum(wrong),
            "weights": sum(value.size for value in parameters.arrays()),
            "differences": sorted({text for one in done for run, report in
                                   zip(one.runs, reports, strict=True)
                                   for text in differences(run, report)}),
            "losses": [step.loss for step in expected], "build_s": built - started,
            "cycles_per_s": sum(map(sum, each)) / simulated,
            "wall_s": time.monotonic() - started}


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
                  f"{out['losses'][0]:.4f} to {out['losses'][-1]:.4f}; {out['wall_s']:.1f} s, "
                  f"{out['cycles_per_s']:,.0f} cycles/s", highlight=False)
    if len(out["cycles_parts"][0]) > 1:
        forward, rest = out["cycles_parts"][0]
        console.print(f"FP {forward:,} cycles, the host's softmax ({out['host_words']:,} words of "
                      f"memory), BP, GD and WU {rest:,} cycles", highlight=False)
    return out
