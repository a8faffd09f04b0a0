"""What ``sparseforge train`` does, without the command line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from golden.tnpu.compile import FC_GRADIENTS
from golden.tnpu.network import Loss
from golden.tnpu.schedule import check
from hw.tnpu.config import TNPUConfig
from sparseforge import progress
from sparseforge.config import as_dict
from sparseforge.errors import RunFailed
from sparseforge.files import made_folder
from sparseforge.training import digits, export, plots

DESIGNS = ("tnpu",)


@dataclass(frozen=True)
class Request:
    """One training. `steps` batches go through the RTL as well, from the same start."""

    design: str
    preset: str
    config: TNPUConfig
    epochs: int
    batch: int
    rate: float
    momentum: float
    seed: int
    schedule: str
    look_ahead: int
    steps: int
    simulator: str
    folder: Path
    export: Path | None
    gantt: Path | None
    loss: Loss = "mse"
    fc_gradients: str = "memory"

    def __post_init__(self) -> None:
        if self.design not in DESIGNS:
            raise ValueError(f"train needs a design that trains ({', '.join(DESIGNS)}), not "
                             f"{self.design}")
        training = len(digits.load()[0].labels)
        for name, value, low, high in (("epochs", self.epochs, 0, 10_000),
                                       ("batch", self.batch, 1, training),
                                       ("seed", self.seed, 0, 1 << 32),
                                       ("rtl-batches", self.steps, 0, 10_000)):
            if not low <= value <= high:
                raise ValueError(f"--{name} must be {low} to {high}, not {value}")
        if not 0 < self.rate < 1e6 or not 0 <= self.momentum < 1:
            raise ValueError(f"--rate must be above 0 and --momentum 0 to 1, not {self.rate:g} and "
                             f"{self.momentum:g}")
        check(self.schedule, self.look_ahead)
        for option, word, known in (("loss", self.loss, get_args(Loss)),
                                    ("fc-gradients", self.fc_gradients, FC_GRADIENTS)):
            if word not in known:
                raise ValueError(f"--{option} must be one of {', '.join(known)}, not {word}")
        if self.simulator not in ("verilator", "icarus"):
            raise ValueError(f"--simulator must be verilator or icarus, not {self.simulator}")
        if self.export and not self.epochs:
            raise ValueError("--export needs a trained network: --epochs must be at least 1")


def run(request: Request, console: Console) -> dict[str, Any]:
    """Trains, checks the RTL if asked, writes the curves. Returns what ``--json`` prints."""
    data: dict[str, Any] = {"design": request.design, "network": "digits",
                            "config": as_dict(request.preset, request.config),
                            "batch": request.batch, "rate": request.rate,
                            "momentum": request.momentum, "seed": request.seed,
                            "schedule": request.schedule, "loss": request.loss,
                            "fc_gradients": request.fc_gradients}
    made_folder(request.folder)
    if request.gantt:
        from sparseforge.training import gantt
        data["gantt"] = gantt.draw(request, console)
    if request.steps:
        from sparseforge.training import rtl
        data["rtl"] = rtl.train_request(request, console)
        if data["rtl"]["mismatches"] or data["rtl"]["differences"]:
            raise RunFailed(f"the RTL must leave golden's bits in the model's cycles: "
                            f"{data['rtl']['mismatches']} weights differ; "
                            f"{'; '.join(data['rtl']['differences'])}")
    if request.epochs:
        data |= _epochs(request, console)
    return data


def _epochs(request: Request, console: Console) -> dict[str, Any]:
    net = digits.network(request.loss)
    parameters = digits.start(net, request.seed)
    course = []
    running = digits.epochs(net, parameters, request.epochs, batch=request.batch,
                            rate=request.rate, momentum=request.momentum, seed=request.seed)
    for epoch in progress.steps(running, request.epochs, "training, in epochs"):
        course.append(epoch)
        console.print(f"epoch {epoch.number:3}: loss {epoch.loss:.4f}, held out "
                      f"{epoch.accuracy:6.2%}", highlight=False)
    curve = plots.curves(request.folder / "curves.png", course)
    out: dict[str, Any] = {"epochs": [asdict(epoch) for epoch in course], "curves": str(curve),
                           "accuracy": course[-1].accuracy}
    console.print(f"written: {curve}", highlight=False)
    if request.export:
        out["export"] = export.write(request.export, parameters, course[-1].accuracy,
                                     request.seed)
        console.print(f"written: {request.export}: {out['export']['accuracy']:.2%} of the held-out "
                      f"images, quantised", highlight=False)
    return out
