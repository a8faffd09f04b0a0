"""Plots of MNF's figures, as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparseforge.reproduce.plots import save

COLOURS = {"compute": "#1b7837", "drain": "#8c6bb1", "load": "#80b1d3", "wait": "#fdae61",
           "idle": "#d9d9d9"}


def draw(folder: Path, data: Mapping[str, Any]) -> list[Path]:
    """Draws what `data` has a plot for into `folder`; the files' paths."""
    import matplotlib
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    return [plot(folder / f"{name}.png", data[name]) for name, plot in PLOTS.items()
            if name in data]


def _fig2(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6, 4))
    # The curves lie on each other: the first ones are drawn large.
    for n, weights in enumerate(dict.fromkeys(row["weights"] for row in data["rows"])):
        rows = [row for row in data["rows"] if row["weights"] == weights]
        axes.plot([row["activations"] for row in rows], [row["occupancy"] for row in rows], "o-",
                  lw=5 - 2 * n, ms=14 - 4 * n, label=f"weight density {weights}")
    axes.set(xlabel="activation density", ylabel="occupancy of the multipliers", ylim=(0, 1.02),
             title="Fig. 2: a 3×3 layer on 297 multipliers")
    axes.legend()
    return save(figure, path)


def _energy(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    names = list(dict.fromkeys(row["layer"] for row in data["rows"]))
    figure, all_axes = pyplot.subplots(1, len(names), figsize=(12, 4.5))
    for axes, name in zip(all_axes, names, strict=True):
        rows = [row for row in data["rows"] if row["layer"] == name]
        base = np.zeros(len(rows))
        for level in ("DRAM", "SRAM", "PE buffer", "register"):
            heights = np.array([row[level] for row in rows])
            axes.bar(range(len(rows)), heights, bottom=base, label=level)
            base += heights
        axes.set_xticks(range(len(rows)), [
            f"{row['dataflow'].removesuffix(' stationary')} {row['sparsity']}" for row in rows],
            rotation=90, fontsize=7)
        axes.set(title=name, ylabel="µJ", xlabel="what is stationary, sparsity of the activations")
    all_axes[0].legend(fontsize=8)
    figure.tight_layout()
    return save(figure, path)


def _heat(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    causes, share = data["causes"], np.array(data["heat"], float)
    share /= np.maximum(share.sum(axis=2, keepdims=True), 1)
    colours = np.array([[int(COLOURS[c][n:n + 2], 16) / 255 for n in (1, 3, 5)] for c in causes])
    figure, (top, below) = pyplot.subplots(2, 1, figsize=(9, 7.5), height_ratios=(3, 2))
    top.imshow((share @ colours).transpose(1, 0, 2), aspect="auto", interpolation="nearest",
               extent=(0, data["width"] * len(share) / 1000, share.shape[1] + 0.5, 0.5))
    top.set(xlabel="thousand cycles", ylabel="PE", title=f"what PEs do: {data['layer']}, "
            f"{data['cycles']:,} cycles (a bin of several causes mixes their colours)")
    for cause in causes:
        top.plot([], [], "s", color=COLOURS[cause], label=cause)
    top.legend(ncols=5, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    _mesh(below, data)
    figure.tight_layout()
    return save(figure, path)


def _mesh(axes: Any, data: Mapping[str, Any]) -> None:
    """Flits of every link as a share of the cycles."""
    rows, cols = data["mesh"]
    links = np.array(data["links"]) / data["cycles"]
    for n in range(rows * cols):
        row, col = divmod(n, cols)
        axes.text(col, row, "storage" if n == 0 else f"PE {n}\n{links[n, 2]:.0%} in", ha="center",
                  va="center", fontsize=7, bbox={"boxstyle": "round", "fc": "white"})
        for branch, (x, y) in enumerate(((1, 0), (0, 1))):
            if links[n, branch]:
                axes.annotate("", (col + 0.8 * x, row + 0.75 * y), (col + 0.2 * x, row + 0.25 * y),
                              arrowprops={"arrowstyle": "->", "lw": 0.5 + 6 * links[n, branch],
                                          "color": "#1b7837"})
                axes.text(col + 0.5 * x, row + 0.5 * y - 0.12, f"{links[n, branch]:.1%}",
                          fontsize=6, ha="center")
        if n and links[n, 3] > 0.00005:
            axes.text(col - 0.5, row + 0.2, f"← {links[n, 3]:.2%}", fontsize=6, ha="center",
                      color="#8c6bb1")
    axes.set(xlim=(-0.7, cols - 0.3), ylim=(rows - 0.4, -0.5),
             title="flits per cycle: events (green), results (purple)")
    axes.axis("off")


def _fig8(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    networks = list(dict.fromkeys(row["network"] for row in data["rows"]))
    figure, all_axes = pyplot.subplots(len(networks), 1, figsize=(9, 3.6 * len(networks)))
    for axes, name in zip(all_axes, networks, strict=True):
        rows = [row for row in data["rows"] if row["network"] == name]
        for n, (key, label) in enumerate((("dense", "DCNN"), ("scnn", "SCNN"), ("mnf", "MNF"))):
            axes.bar(np.arange(len(rows)) + 0.27 * (n - 1), [row[key] / 1e6 for row in rows], 0.25,
                     label=label)
        axes.set_xticks(range(len(rows)), [row["layer"] for row in rows], rotation=90, fontsize=7)
        last = rows[-1]
        axes.set(yscale="log", ylabel="million cycles", title=(
            f"{name}: MNF {last['over dense']:.2f}× over DCNN, {last['over SCNN']:.2f}× over SCNN "
            f"(paper {last['paper']})"))
        axes.legend(fontsize=8)
    figure.tight_layout()
    return save(figure, path)


PLOTS = {"fig2": _fig2, "energy": _energy, "heat": _heat, "fig8": _fig8}
