"""Plots of reproduced figures, as PNG."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CAUSES = ("multiply", "conflict", "starved", "load", "drain", "planar", "sparsity", "idle")
COLOURS = {"multiply": "#1b7837", "conflict": "#c51b7d", "starved": "#d95f0e", "load": "#80b1d3",
           "drain": "#8c6bb1", "planar": "#525252", "sparsity": "#b2182b", "idle": "#d9d9d9"}
NAMES = {"planar": "barrier: planar remainder", "sparsity": "barrier: sparsity imbalance"}


def draw(folder: Path, data: Mapping[str, Any]) -> list[Path]:
    """Draws what `data` has a plot for into `folder`; the files' paths."""
    import matplotlib
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    return [plot(folder / f"{name}.png", data[name]) for name, plot in PLOTS.items()
            if name in data]


def save(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, dpi=120, bbox_inches="tight", format="png")
    os.replace(temporary, path)
    pyplot.close(figure)
    return path


def _layers(axes: Any, names: list[str]) -> None:
    """Names of layers below the bars."""
    axes.set_xticks(range(len(names)), [name.removeprefix("inception_") for name in names],
                    rotation=90, fontsize=6)
    axes.set_xlim(-0.7, len(names) - 0.3)


def _fig7(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    from matplotlib.ticker import ScalarFormatter
    figure, axes = pyplot.subplots(figsize=(6, 4))
    x = [row["density"] for row in data["rows"]]
    axes.semilogy(x, [row["speedup"] for row in data["rows"]], "o-", label="SCNN, cycle model")
    axes.semilogy(x, [row["oracle"] for row in data["rows"]], ":", label="bound of the multipliers")
    paper = data["paper"]
    axes.semilogy([0.1, paper["crossover"], 1.0], [paper["0.1"], 1.0, paper["1.0"]], "kx",
                label="paper (TimeLoop)")
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter("")
    axes.set_yticks([0.5, 1, 2, 5, 10, 20, 50, 100])
    axes.set_xticks(x)
    axes.set(xlabel="density of weights and of activations", ylabel="speed-up over DCNN",
             title="GoogLeNet (Fig. 7a)")
    axes.legend()
    return save(figure, path)


def _fig8(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    networks = list(dict.fromkeys(row["network"] for row in data["rows"]))
    figure, all_axes = pyplot.subplots(len(networks), 1, figsize=(10, 3 * len(networks)))
    for axes, network in zip(all_axes, networks, strict=True):
        rows = [row for row in data["rows"] if row["network"] == network]
        for n, row in enumerate(rows):
            good = [(at, f) for at, f in enumerate(row["layers"]) if "refused" not in f]
            axes.bar([at + 0.4 * n - 0.2 for at, _ in good], [f["speedup"] for _, f in good],
                     width=0.38, color=("#4575b4", "#91bfdb")[n], label=f"kc = {row['kc']}")
        oracle = [(at, f["dense_cycles"] / max(1, f["bound_compute"])) for at, f in good]
        axes.plot([at for at, _ in oracle], [value for _, value in oracle], "k_",
                  label="oracle")
        axes.axhline(1, color="grey", linewidth=0.8)
        _layers(axes, [f["name"] for f in rows[0]["layers"]])
        totals = ", ".join(f"{row['speedup']:.2f}× with kc = {row['kc']}" for row in rows)
        axes.set(title=f"{network}: {totals} (paper {rows[0]['paper']}×)", ylabel="over DCNN")
        axes.legend(fontsize=7, ncols=3)
    figure.tight_layout()
    return save(figure, path)


def _fig9(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    networks = list(dict.fromkeys(row["network"] for row in data["rows"]))
    figure, all_axes = pyplot.subplots(len(networks), 1, figsize=(10, 3 * len(networks)))
    for axes, name in zip(all_axes, networks, strict=True):
        rows = [r for r in data["rows"] if r["network"] == name and "multiply" in r]
        base = [0.0] * len(rows)
        for cause in CAUSES:
            heights = [r.get(cause, 0.0) for r in rows]
            axes.bar(range(len(rows)), heights, bottom=base, color=COLOURS[cause],
                     label=NAMES.get(cause, cause))
            base = [a + b for a, b in zip(base, heights, strict=True)]
        axes.plot(range(len(rows)), [r["utilization"] for r in rows], "w.", markeredgecolor="k",
                  label="utilization of the multipliers")
        _layers(axes, [r["layer"] for r in rows])
        axes.set(title=name, ylim=(0, 1), ylabel="share of PE-cycles")
    figure.tight_layout()
    figure.legend(*all_axes[0].get_legend_handles_labels(), fontsize=7, ncols=5,
                  loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return save(figure, path)


def _decides(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for kc, fifo in dict.fromkeys((r["kc"], r["fifo_entries"]) for r in data["rows"]):
        rows = [r for r in data["rows"] if (r["kc"], r["fifo_entries"]) == (kc, fifo)]
        axes.plot([r["weight_bus"] for r in rows], [r["speedup"] for r in rows], "o-",
                  label=f"kc = {kc}, FIFO of {fifo}")
    axes.set(xlabel="broadcast width, F-entries per cycle", ylabel="speed-up over DCNN",
             title="GoogLeNet: what decides", ylim=(0, None))
    axes.legend()
    return save(figure, path)


def _heat(path: Path, data: Mapping[str, Any]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8, 5))
    image = axes.imshow(data["busy"], aspect="auto", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xlabel="time, % of the run", ylabel="PE (row by row)",
             title=f"share of cycles that multiply: {data['layer']}")
    figure.colorbar(image)
    return save(figure, path)


PLOTS = {"fig7": _fig7, "fig8": _fig8, "fig9": _fig9, "decides": _decides, "heat": _heat}
