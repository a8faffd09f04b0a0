"""Plots of Cambricon-S' reproduced figures, as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparseforge.reproduce.plots import save

COLOURS = {"static": "#4575b4", "dynamic": "#fdae61", "both": "#1b7837", "x": "#bdbdbd"}
NAMES = {"static": "static (NSM: synapses)", "dynamic": "dynamic (NSM: neurons)",
         "both": "static and dynamic", "x": "Cambricon-X-like: an index per PE"}


def draw(folder: Path, data: Mapping[str, Any]) -> list[Path]:
    """Draws what `data` has a plot for into `folder`; the files' paths."""
    import matplotlib
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    return [plot(folder / f"{name}.png", data[name]["rows"]) for name, plot in PLOTS.items()
            if name in data]


def _speedup(path: Path, rows: list[dict[str, Any]]) -> Path:
    from matplotlib import pyplot
    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure, all_axes = pyplot.subplots(len(networks), 1, figsize=(10, 3.6 * len(networks)))
    for axes, network in zip(all_axes, networks, strict=True):
        mine = [row for row in rows if row["network"] == network]
        for n, machine in enumerate(COLOURS):
            axes.bar([at + 0.2 * n - 0.3 for at in range(len(mine))],
                     [row[machine] for row in mine], width=0.19, color=COLOURS[machine],
                     label=NAMES[machine])
        axes.plot(range(len(mine)), [row["ideal"] for row in mine], "k_", markersize=14,
                  label="ideal: multiplications of two operands that are not zero")
        axes.set_yscale("log")
        axes.set_xticks(range(len(mine)), [row["layer"] for row in mine], rotation=90, fontsize=7)
        axes.axhline(1, color="grey", linewidth=0.8)
        axes.set(title=network, ylabel="speed-up over dense")
    all_axes[0].legend(fontsize=7)
    figure.tight_layout()
    return save(figure, path)


def _sweep(path: Path, rows: list[dict[str, Any]]) -> Path:
    from matplotlib import pyplot
    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure, grid = pyplot.subplots(2, len(networks), figsize=(4 * len(networks), 7), squeeze=False)
    for across, network in enumerate(networks):
        for down, kind in enumerate(("convolutions", "FC layers")):
            axes = grid[down][across]
            mine = [row for row in rows if row["network"] == network and row[kind]]
            if not mine:
                axes.axis("off")
                continue
            for n, neurons in enumerate(dict.fromkeys(row["neurons"] for row in mine)):
                line = [row for row in mine if row["neurons"] == neurons]
                x = [row["weights"] for row in line]
                colour = f"C{n}"
                axes.loglog(x, [row[kind] for row in line], "o-", color=colour,
                            label=f"neurons {neurons:.0%}")
                axes.loglog(x, [row["ideal"] for row in line], ":", color=colour)
            axes.set(title=f"{network}: {kind}", xlabel="density of weights",
                     ylabel="speed-up over dense (dotted: ideal)")
            axes.legend(fontsize=7)
    figure.tight_layout()
    return save(figure, path)


def _bus(path: Path, rows: list[dict[str, Any]]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name in ("conv3", "fc7"):
        best = min(row[name] for row in rows)
        axes.semilogx([row["bits"] for row in rows], [row[name] / best for row in rows], "o-",
                      base=2, label=f"AlexNet {name}")
    axes.set_xticks([row["bits"] for row in rows], [str(row["bits"]) for row in rows])
    axes.set(xlabel="bus, bits", ylabel="cycles, over the fewest", title="Width of the bus",
             ylim=(0, None))
    axes.legend()
    return save(figure, path)


def _moved(path: Path, rows: list[dict[str, Any]]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(10, 4))
    names = [f"{row['network']} {row['layer']}" for row in rows]
    for n, key in enumerate(("synapse bytes", "of 16 bits", "index bytes", "neuron bytes")):
        axes.bar([at + 0.2 * n - 0.3 for at in range(len(rows))], [row[key] for row in rows],
                 width=0.19, label=key.replace("of 16 bits", "synapse bytes, 16 bits each"))
    axes.set_yscale("log")
    axes.set_xticks(range(len(rows)), names, rotation=90, fontsize=7)
    axes.set(ylabel="bytes over the bus", title="What is moved")
    axes.legend(fontsize=7)
    figure.tight_layout()
    return save(figure, path)


PLOTS = {"speedup": _speedup, "sweep": _sweep, "bus": _bus, "moved": _moved}
