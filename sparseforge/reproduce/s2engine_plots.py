"""Plots of S² Engine's reproduced figures, as PNG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sparseforge.reproduce.plots import save

Row = Mapping[str, Any]
TITLES = {"resnet50": "resnet50, averages in every layer"}     # none are published by layer


def draw(folder: Path, name: str, data: Mapping[str, Any]) -> Path | None:
    """Draws section `name` into `folder`, if it has a plot; the file's path."""
    if name not in PLOTS:
        return None
    import matplotlib
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    return PLOTS[name](folder / f"{name}.png", data["rows"])


def _values(rows: Sequence[Row], key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


def _bars(axes: Any, rows: Sequence[Row], across: str, beside: str, value: str,
          label: str = "{}") -> None:
    """Bars of `value`: groups by `across`, in each a bar by `beside`."""
    groups, bars = _values(rows, across), _values(rows, beside)
    width = 0.8 / len(bars)
    for n, one in enumerate(bars):
        found = {row[across]: row for row in rows if row[beside] == one}
        at = [x + width * (n - (len(bars) - 1) / 2) for x in range(len(groups))]
        axes.bar(at, [found[g][value] for g in groups], 0.92 * width, label=label.format(one),
                 yerr=[found[g][value] * found[g].get("plus_minus", 0) for g in groups])
    axes.set_xticks(range(len(groups)), [str(g) for g in groups])


def _speedups(path: Path, rows: Sequence[Row], title: str, across: str, xlabel: str) -> Path:
    """A panel for each network: bars of speed-ups, groups by `across`, in each a bar by depth."""
    from matplotlib import pyplot
    networks = _values(rows, "network")
    figure, all_axes = pyplot.subplots(1, len(networks), figsize=(4 * len(networks), 3.4),
                                       sharey=True, squeeze=False)
    for axes, name in zip(all_axes[0], networks, strict=True):
        _bars(axes, [row for row in rows if row["network"] == name], across, "depth", "speedup",
              "depth {}")
        axes.axhline(1, color="grey", linewidth=0.8)
        axes.set(title=TITLES.get(name, name), xlabel=xlabel)
    all_axes[0][0].set_ylabel("over the naive array")
    all_axes[0][0].legend(fontsize=8, loc="upper left")
    figure.suptitle(title)
    figure.tight_layout()
    return save(figure, path)


def _figure_10(path: Path, rows: Sequence[Row]) -> Path:
    return _speedups(path, rows, "Speed-up by FIFO depths and DS:MAC ratio, 16 × 16 (Fig. 10)",
                     "ratio", "DS cycles per MAC cycle")


def _figure_11(path: Path, rows: Sequence[Row]) -> Path:
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for depth in _values(rows, "depth"):
        mine = [row for row in rows if row["depth"] == depth]
        axes.plot([row["density"] for row in mine], [row["latency"] for row in mine], "o-",
                  label=f"depth {depth}")
    axes.axhline(1, color="grey", linewidth=0.8, label="naive array")
    axes.set(xlabel="density of weights and of features", ylabel="latency, naive array = 1",
             title="AlexNet by density, 32 × 32 (Fig. 11)", ylim=(0, None))
    axes.legend()
    return save(figure, path)


def _figure_12(path: Path, rows: Sequence[Row]) -> Path:
    """All shares of 16-bit values, and those that the paper has numbers for."""
    from matplotlib import pyplot
    figure, all_axes = pyplot.subplots(1, 2, figsize=(9, 4))
    for axes, most in zip(all_axes, (1.0, 0.1), strict=True):
        shown = [row for row in rows if row["wide"] <= most]
        for depth, colour in zip(_values(rows, "depth"), ("C0", "C1", "C2", "C3"), strict=True):
            mine = [row for row in shown if row["depth"] == depth]
            axes.plot([row["wide"] for row in mine], [1 + row["extra"] for row in mine], "o-",
                      color=colour, markersize=4, label=f"depth {depth}")
            paper = [row for row in mine if row["paper_extra"] is not None and most < 1]
            axes.plot([row["wide"] for row in paper], [1 + row["paper_extra"] for row in paper],
                      "x", color=colour, markersize=8)
        axes.plot([row["wide"] for row in mine], [1 + row["bound"] for row in mine], "k:",
                  label="(1 + p)²")
        axes.set(xlabel="share p of 16-bit values", ylim=(0, None) if most == 1 else (1, None))
    all_axes[0].set_ylabel("latency, 8-bit data = 1")
    all_axes[0].legend()
    all_axes[1].set_title("×: paper (Table IV)", fontsize=10)
    figure.suptitle("Dense AlexNet, 16 × 16 (Fig. 12)")
    figure.tight_layout()
    return save(figure, path)


def _figure_13(path: Path, rows: Sequence[Row]) -> Path:
    from matplotlib import pyplot
    figure, all_axes = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for axes, value, what in zip(all_axes, ("reads_saved", "capacity_saved"),
                                 ("accesses", "capacity"), strict=True):
        _bars(axes, rows, "network", "size", value, "{0} × {0}")
        axes.set(title=f"buffer {what}", ylim=(0, 1))
    all_axes[0].set_ylabel("share saved by CE")
    all_axes[0].legend(fontsize=8)
    figure.suptitle("What CE saves of FB and WB (Fig. 13)")
    figure.tight_layout()
    return save(figure, path)


def _figure_14(path: Path, rows: Sequence[Row]) -> Path:
    return _speedups(path, rows, "Speed-up by array size and FIFO depth (Fig. 14)", "size",
                     "rows and columns")


CAUSES = {"multiply": ("multiply", "#1b7837"), "select": ("select", "#a6dba0"),
          "starved_w": ("starved of W", "#d95f0e"), "starved_f": ("starved of F", "#fec44f"),
          "drain": ("drain", "#8c6bb1"), "blocked": ("blocked by the MAC", "#525252")}


def _cycles(path: Path, rows: Sequence[Row]) -> Path:
    """A panel for each network on 32 × 32: the causes of each layer, one upon the other."""
    from matplotlib import pyplot
    rows = [row for row in rows if row["size"] == 32]
    networks = _values(rows, "network")
    figure, all_axes = pyplot.subplots(
        1, len(networks), figsize=(9, 3.8), sharey=True, squeeze=False,
        width_ratios=[sum(row["network"] == name for row in rows) for name in networks])
    for axes, name in zip(all_axes[0], networks, strict=True):
        mine = [row for row in rows if row["network"] == name]
        base = [0.0] * len(mine)
        for cause, (label, colour) in CAUSES.items():
            heights = [row[cause] for row in mine]
            axes.bar(range(len(mine)), heights, bottom=base, color=colour, label=label)
            base = [a + b for a, b in zip(base, heights, strict=True)]
        axes.set_xticks(range(len(mine)), [row["layer"] for row in mine], rotation=90, fontsize=8)
        axes.set(title=name, ylim=(0, 1))
    all_axes[0][0].set_ylabel("share of PEs × DS cycles")
    figure.tight_layout()
    figure.legend(*all_axes[0][0].get_legend_handles_labels(), fontsize=8, ncols=len(CAUSES),
                  loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return save(figure, path)


PLOTS: dict[str, Callable[[Path, Sequence[Row]], Path]] = {
    "fig10": _figure_10, "fig11": _figure_11, "fig12": _figure_12, "fig13": _figure_13,
    "fig14": _figure_14, "cycles": _cycles}
