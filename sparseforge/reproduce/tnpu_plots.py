"""Plots of TNPU's reproduced figures, as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparseforge.reproduce.plots import save

NAMES = {"sosm": "TNPU (SOSM)", "time_multiplexed": "as DaDianNao", "separate": "as DNPU"}


def draw(folder: Path, data: Mapping[str, Any]) -> list[Path]:
    """Draws what `data` has of Figs 7 and 9 into `folder`; the files' paths."""
    import matplotlib
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    return [plot(folder / f"{name}.png", data[name])
            for name, plot in (("fig7", _fig7), ("fig9", _fig9)) if name in data]


def _fig7(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(7, 4))
    rows = data["rows"]
    for n, (schedule, name) in enumerate(NAMES.items()):
        values = [row["cycles"]["separate"] / row["cycles"][schedule] for row in rows]
        axes.bar([x + 0.27 * (n - 1) for x in range(len(rows))], values, 0.25, label=name)
    axes.set_xticks(range(len(rows)), [row["network"] for row in rows])
    axes.set(ylabel="performance, DNPU's order = 1", title="Training, batch 50 (Fig. 7)")
    axes.legend()
    return save(figure, path)


def _fig9(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for schedule, name in NAMES.items():
        axes.plot([row["gb_s"] for row in data["rows"]],
                  [row[schedule] for row in data["rows"]], "o-", label=name)
    axes.set(xlabel="GB/s", ylabel="performance, TNPU at 17.1 GB/s = 1",
             title="Bandwidth (Fig. 9), closed form")
    axes.legend()
    return save(figure, path)
