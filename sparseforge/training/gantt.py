"""Fig. 5 with the true lengths of its slots: what each unit does when, every schedule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from golden.tnpu import timing
from golden.tnpu.compile import compile
from golden.tnpu.schedule import SCHEDULES
from hw.tnpu.config import TNPUConfig
from sparseforge.reproduce.plots import save
from sparseforge.training import digits

if TYPE_CHECKING:
    from sparseforge.training.command import Request

INSTANCES = 4
COLOURS = {"FP": "tab:blue", "BP": "tab:orange", "GD": "tab:green", "WU": "tab:red"}


def timed(cfg: TNPUConfig, schedule: str, look_ahead: int, batch: int) -> timing.Timed:
    """The digits' batch under a schedule."""
    return timing.time(compile(digits.network(), cfg, batch, schedule=schedule,
                               look_ahead=look_ahead))


def plot(path: Path, runs: dict[str, timing.Timed]) -> Path:
    """A row per unit and schedule; a bar from a block's first instruction to its last."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, all_axes = pyplot.subplots(len(runs), 1, figsize=(11, 1.7 * len(runs)), sharex=True,
                                       squeeze=False)
    for (schedule, run), axes in zip(runs.items(), all_axes[:, 0], strict=True):
        for span in run.spans:
            row = 1 if span.unit == "c" else 0
            axes.barh(row, span.end - span.begin, left=span.begin, height=0.8,
                      color=COLOURS[span.block.phase], edgecolor="white")
            if span.end - span.begin > run.cycles / 60:
                name = span.block.phase if span.block.phase == "WU" else (
                    f"{span.block.instance}-{span.block.phase}")
                axes.text((span.begin + span.end) / 2, row, name, ha="center", va="center",
                          fontsize=6)
        axes.set_yticks([0, 1], ["PU-f", "PU-c"])
        axes.set_title(f"{schedule}: {run.cycles:,} cycles", fontsize=8, loc="left")
    all_axes[-1, 0].set_xlabel("cycle")
    figure.tight_layout()
    return save(figure, path)


def draw(request: Request, console: Console) -> dict[str, Any]:
    """Draws `INSTANCES` instances of the digits at the request's config."""
    assert request.gantt is not None
    if not request.gantt.absolute().parent.is_dir():
        raise ValueError(f"--gantt {request.gantt}: must be in a folder that exists")
    runs = {name: timed(request.config, name, request.look_ahead, INSTANCES) for name in SCHEDULES}
    plot(request.gantt, runs)
    console.print(f"written: {request.gantt}", highlight=False)
    return {"file": str(request.gantt), "cycles": {name: run.cycles for name, run in runs.items()},
            "spans": {name: [[s.unit, s.block.phase, s.block.instance, s.begin, s.end]
                             for s in run.spans] for name, run in runs.items()}}
