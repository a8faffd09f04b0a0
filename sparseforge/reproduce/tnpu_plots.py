"""Plots of TNPU's reproduced figures, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparseforge.reproduce.plots import save

NAMES = {"sosm": "TNPU (SOSM)", "time_multiplexed": "as DaDianNao", "separate": "as DNPU"}


def draw(folder: Path, data: Mapping[str, Any]) -> list[Path]:
    """Draws what `data` has a plot for into `folder`; the files' paths."""
    import matplotlib
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    return [plot(folder / f"{name}.png", data[name]) for name, plot in PLOTS.items()
            if name in data]


def _bars(path: Path, rows: Sequence[Mapping[str, Any]], series: Mapping[str, Sequence[float]],
          log: bool = False, **texts: str) -> Path:
    """A group of bars for each network."""
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(7, 4))
    width = 0.8 / len(series)
    for n, (name, values) in enumerate(series.items()):
        places = [x + width * (n - (len(series) - 1) / 2) for x in range(len(rows))]
        bars = axes.bar(places, values, 0.93 * width, label=name)
        axes.bar_label(bars, fmt="{:.3g}", fontsize=6)
    axes.set_xticks(range(len(rows)), [row["network"] for row in rows])
    axes.set(yscale="log" if log else "linear", **texts)
    axes.legend(fontsize=8)
    return save(figure, path)


def _fig1(path: Path, data: Mapping[str, Any]) -> Path:
    rows = data["rows"]
    return _bars(path, rows, {"convolutions alone": [row["conv"] for row in rows],
                              "training": [row["training"] for row in rows]},
                 ylabel="products per cycle", title="Time-multiplexed (Fig. 1), closed form")


def _fig2(path: Path, data: Mapping[str, Any]) -> Path:
    rows = data["rows"]
    return _bars(path, rows, {"convolutions": [row["conv"] for row in rows],
                              "FC layers": [row["fc"] for row in rows]}, log=True,
                 ylabel="operations per value over the bus", title="Training (Fig. 2)")


def _fig7(path: Path, data: Mapping[str, Any]) -> Path:
    rows = data["rows"]
    return _bars(path, rows, {
        name: [row["cycles"]["separate"] / row["cycles"][schedule] for row in rows]
        for schedule, name in NAMES.items()},
        ylabel="performance, DNPU's order = 1", title="Training, batch 50 (Fig. 7), cycle model")


def _fig9(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for schedule, name in NAMES.items():
        axes.plot([row["gb_s"] for row in data["rows"]],
                  [row[schedule] for row in data["rows"]], "o-", label=name)
    axes.set(xlabel="GB/s", ylabel="performance, TNPU at 17.1 GB/s = 1",
             title="Bandwidth (Fig. 9), closed form", ylim=(0, None))
    axes.legend()
    return save(figure, path)


def _buffers(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name in dict.fromkeys(row["network"] for row in data["rows"]):
        rows = [row for row in data["rows"] if row["network"] == name and not row["refused"]]
        axes.semilogx([row["kb"] for row in rows], [row["dadiannao"] for row in rows], "o-",
                      label=name)
    axes.set(xlabel="all buffers, KB", ylabel="SOSM over time-multiplexed",
             title="Buffers, closed form")
    axes.legend(fontsize=8)
    return save(figure, path)


PLOTS = {"fig1": _fig1, "fig2": _fig2, "fig7": _fig7, "fig9": _fig9, "buffers": _buffers}
