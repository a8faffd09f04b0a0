"""Plots of reproduced figures, as PNG."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def draw(folder: Path, data: Mapping[str, Any]) -> list[Path]:
    """Draws what `data` has of Figs 7a, 8, 9 and the heat map into `folder`; the files' paths."""
    import matplotlib
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    return [plot(folder / f"{name}.png", data[name]) for name, plot in
            (("fig7", _fig7), ("fig8", _fig8), ("fig9", _fig9), ("heat", _heat))
            if name in data]


def save(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, dpi=120, bbox_inches="tight", format="png")
    os.replace(temporary, path)
    pyplot.close(figure)
    return path


def _fig7(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6, 4))
    x = [row["density"] for row in data["rows"]]
    axes.semilogy(x, [row["speedup"] for row in data["rows"]], "o-", label="SCNN, cycle model")
    axes.semilogy(x, [row["oracle"] for row in data["rows"]], ":", label="bound of the multipliers")
    paper = data["paper"]
    axes.semilogy([0.1, paper["crossover"], 1.0], [paper["0.1"], 1.0, paper["1.0"]], "x",
                  label="paper (TimeLoop)")
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set(xlabel="density of weights and of activations", ylabel="speed-up over DCNN",
             title="GoogLeNet (Fig. 7a)")
    axes.legend()
    return save(figure, path)


def _fig8(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    rows = [row for row in data["rows"] if row["kc"] == "8"]
    figure, all_axes = pyplot.subplots(len(rows), 1, figsize=(10, 3 * len(rows)))
    for axes, row in zip(all_axes, rows, strict=True):
        layers = [x for x in row["layers"] if "refused" not in x]
        x = range(len(layers))
        axes.bar(x, [f["speedup"] for f in layers], label="SCNN")
        axes.plot(x, [f["dense_cycles"] / max(1, f["bound_compute"]) for f in layers], "k_",
                  label="oracle")
        axes.set_xticks(list(x), [f["name"].removeprefix("inception_") for f in layers],
                        rotation=90, fontsize=6)
        axes.set_title(f"{row['network']}: {row['speedup']:.2f}× (paper {row['paper']}×)")
        axes.legend()
    figure.tight_layout()
    return save(figure, path)


def _fig9(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    causes = ("multiply", "conflict", "starved", "load", "drain", "barrier", "idle")
    networks = list(dict.fromkeys(row["network"] for row in data["rows"]))
    figure, all_axes = pyplot.subplots(len(networks), 1, figsize=(10, 3 * len(networks)))
    for axes, name in zip(all_axes, networks, strict=True):
        rows = [r for r in data["rows"] if r["network"] == name and "multiply" in r]
        x, base = range(len(rows)), [0.0] * len(rows)
        for cause in causes:
            heights = [r.get(cause, 0.0) for r in rows]
            axes.bar(x, heights, bottom=base, label=cause)
            base = [a + b for a, b in zip(base, heights, strict=True)]
        axes.plot(x, [r["utilization"] for r in rows], "k.", label="utilization")
        axes.set_xticks(list(x), [r["layer"].removeprefix("inception_") for r in rows],
                        rotation=90, fontsize=6)
        axes.set_title(name)
    all_axes[0].legend(fontsize=6, ncols=4)
    figure.tight_layout()
    return save(figure, path)


def _heat(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8, 5))
    image = axes.imshow(data["busy"], aspect="auto", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xlabel="time, % of the run", ylabel="PE", title=f"multiplying: {data['layer']}")
    figure.colorbar(image)
    return save(figure, path)
