"""Fig. 5 with the true lengths of its slots: how busy each unit is when, under every schedule.

The RTL's own counters of busy cycles are read while it runs; which block a unit is at is the
model's, whose cycles and counters are the RTL's, or the chart is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console

from golden.tnpu import timing
from golden.tnpu.compile import compile
from golden.tnpu.network import Network, initial
from golden.tnpu.schedule import SCHEDULES
from hw.tnpu.config import TNPUConfig
from sparseforge import progress
from sparseforge.errors import RunFailed
from sparseforge.reproduce.plots import save
from sparseforge.rtl import LIMIT, room
from sparseforge.training import digits
from sparseforge.training.rtl import differences

if TYPE_CHECKING:
    from sparseforge.training.command import Request

INSTANCES = 4
SAMPLES = 240           # of the counters, at most, in a run
APART = 64              # cycles between two samples, at least
COLOURS = {"FP": "tab:blue", "BP": "tab:orange", "GD": "tab:green", "WU": "tab:red"}


@dataclass(frozen=True)
class Chart:
    """A batch under a schedule: `at` cycles [n + 1], `busy` shares [2, n] between them, of PU-c and
    PU-f; the blocks' spans."""

    cycles: int
    at: np.ndarray
    busy: np.ndarray
    spans: tuple[timing.Span, ...]


def charts(net: Network, config: TNPUConfig, simulator: str, look_ahead: int,
           instances: int = INSTANCES) -> dict[str, Chart]:
    """`instances` of zeros through the RTL, under each schedule. RunFailed where the model differs.
    """
    import sim.tnpu.run as rtl
    first, last = net.layers[0], net.layers[-1]
    parameters = initial(net)
    inputs = np.zeros((instances, first.c, first.h, first.w), np.float32)
    targets = np.zeros((instances, last.k * last.out_h * last.out_w), np.float32)
    out = {}
    for schedule in SCHEDULES:
        program = compile(net, config, instances, schedule=schedule, look_ahead=look_ahead)
        timed = timing.time(program)
        step = max(APART, timed.cycles // SAMPLES)
        build = rtl.RTL.build(config, simulator, **room(program.end, simulator))
        run, = rtl.RTL.run(build, [rtl.batch(program, program.image(parameters, inputs, targets))],
                           max_cycles=LIMIT, events=[
            (cycle, "read", ("BUSY_C_LO", "BUSY_F_LO"))
            for cycle in range(step, timed.cycles - step, step)])
        wrong = differences(run, timed.report)
        if wrong:
            raise RunFailed(f"the chart needs the model's cycles: {'; '.join(wrong)}")
        end = [timed.cycles, run.counters["busy_c"], run.counters["busy_f"]]
        seen = np.array([[0, 0, 0], *run.results[0].samples, end])
        at, counts = seen[:, 0], seen[:, 1:]
        # A register is read some cycles after its sample: in the first one, shares seem above 1.
        busy = np.clip(np.diff(counts, axis=0) / np.diff(at)[:, None], 0, 1)
        out[schedule] = Chart(timed.cycles, at, busy.T, timed.spans)
    return out


def plot(path: Path, given: dict[str, Chart]) -> Path:
    """A row per unit and schedule: a frame for each block, filled as far as the unit was busy; c:
    PU-f's part of convolutions."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, all_axes = pyplot.subplots(len(given), 1, figsize=(12, 1.8 * len(given)), sharex=True,
                                       squeeze=False)
    for (schedule, chart), axes in zip(given.items(), all_axes[:, 0], strict=True):
        for span in chart.spans:
            unit = "cf".index(span.unit)
            _block(axes, chart, span, 1 - unit, unit)
        axes.set_yticks([0.4, 1.4], ["PU-f", "PU-c"])
        axes.set_ylim(-0.1, 2)
        busy = [float((share * np.diff(chart.at)).sum() / chart.cycles) for share in chart.busy]
        axes.set_title(f"{schedule}: {chart.cycles:,} cycles; PU-c busy {busy[0]:.0%}, PU-f "
                       f"{busy[1]:.0%}", fontsize=8, loc="left")
    all_axes[-1, 0].set_xlabel("cycle")
    figure.tight_layout()
    return save(figure, path)


def _block(axes: Any, chart: Chart, span: timing.Span, row: int, unit: int) -> None:
    colour = COLOURS[span.block.phase]
    width = span.end - span.begin
    axes.barh(row + 0.4, width, left=span.begin, height=0.8, color=colour, alpha=0.25,
              edgecolor=colour, linewidth=0.8)
    inside = (chart.at[1:] > span.begin) & (chart.at[:-1] < span.end)
    left = np.maximum(chart.at[:-1][inside], span.begin)
    right = np.minimum(chart.at[1:][inside], span.end)
    axes.bar(left, 0.8 * chart.busy[unit][inside], right - left, bottom=row, align="edge",
             color=colour, alpha=0.8, linewidth=0)
    if width > chart.cycles / 50:
        name = span.block.phase if span.block.phase == "WU" else (
            f"{span.block.instance}-{span.block.phase}{' c' if span.block.lent else ''}")
        axes.text((span.begin + span.end) / 2, row + 0.62, name, ha="center", va="center",
                  fontsize=6)


def draw(request: Request, console: Console) -> dict[str, Any]:
    """Draws `INSTANCES` instances of the digits at the request's config."""
    assert request.gantt is not None
    if not request.gantt.absolute().parent.is_dir():
        raise ValueError(f"--gantt {request.gantt}: must be in a folder that exists")
    with progress.working(f"{request.simulator}: {len(SCHEDULES)} schedules"):
        found = charts(digits.network(), request.config, request.simulator, request.look_ahead)
    plot(request.gantt, found)
    console.print(f"written: {request.gantt}", highlight=False)
    return {"file": str(request.gantt),
            "cycles": {name: chart.cycles for name, chart in found.items()},
            "busy": {name: [[int(c) for c in chart.at], chart.busy.round(4).tolist()]
                     for name, chart in found.items()},
            "spans": {name: [[s.unit, s.block.phase, s.block.instance, s.begin, s.end]
                             for s in chart.spans] for name, chart in found.items()}}
