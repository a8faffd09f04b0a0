"""``sparseforge reproduce s2engine``: the tables and figures of Yang et al., S² Engine.

Each section is a function of a `Bench` that returns plain data. Cycles are the array's, buffers and
memory aside, as the paper's; over a network they are summed. Densities are published or
filled as the networks' tables say, the zeros independent and the values synthetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from golden.s2engine.array import CAUSES
from hw.s2engine.config import PRESETS
from sparseforge.report.text import percent, table
from sparseforge.reproduce.s2engine_plots import draw
from sparseforge.reproduce.s2engine_study import Bench, Point

NETWORKS = ("alexnet", "vgg16", "resnet50")
DEPTHS = {2: (2, 2, 2), 4: (4, 4, 4), 8: (8, 8, 8), "∞": (0, 0, 0)}
DENSITIES = (
    "AlexNet's and VGG16's densities are published per layer (sparseforge/networks/densities.csv), "
    "their zeros drawn independently; 'must' is the share of MACs with two non-zero operands in "
    "these tensors")
RESNET50 = (
    "ResNet50 has the paper's own averages (Table II) in every layer alike, which leaves fewer "
    "MACs than a real pruned network has: its speed-ups flatter, and no mean over networks counts "
    "it")
REAL = ("alexnet", "vgg16")     # with densities by layer: means are over these


def figure_10(bench: Bench) -> dict[str, Any]:
    """Fig. 10: FIFO depths × DS:MAC ratio at 16 × 16."""
    points = [Point(name, 16, DEPTHS[depth], ratio) for name in NETWORKS for depth in DEPTHS
              for ratio in (1, 2, 4, 8)]
    found = bench.points(points, "Fig. 10")
    rows = [{"network": p.network, "depth": _name(p.depths), "ratio": p.ratio, **found[p]}
            for p in points]
    means = {(d, r): _mean([x["speedup"] for x in rows if (x["depth"], x["ratio"]) == (d, r)
                            and x["network"] in REAL])
             for d in map(str, DEPTHS) for r in (1, 2, 4, 8)}
    gains = {
        "depth 2 to 4, ratio 4 (paper 1.2)": means["4", 4] / means["2", 4],
        "depth 4 to 8, ratio 4 (paper 1.1)": means["8", 4] / means["4", 4],
        "ratio 2 to 4, depth 4 (paper 1.5)": means["4", 4] / means["4", 2],
        "ratio 4 to 8, depth 4 (paper 1.1)": means["4", 8] / means["4", 4]}
    return {"rows": rows, "paper": {name: round(gain, 2) for name, gain in gains.items()},
            "cause": f"{DENSITIES}. {RESNET50}"}


def figure_11(bench: Bench) -> dict[str, Any]:
    """Fig. 11: AlexNet at one density of weights and features, 32 × 32."""
    shares = [round(0.1 * n, 1) for n in range(1, 11)]
    points = [Point("alexnet", 32, DEPTHS[depth], 4, density=share)
              for share in shares for depth in (2, 4, 8)]
    found = bench.points(points, "Fig. 11")
    rows = [{"density": p.density, "depth": _name(p.depths), "latency": 1 / found[p]["speedup"],
             **found[p]} for p in points]
    deep = [row for row in rows if row["depth"] == "4"]
    met = [row["density"] for row in deep if row["speedup"] >= 3.05]
    return {"rows": rows, "paper": "faster than the naive array below about 0.5/0.5",
            "cause": f"Table V's level, 3.05× at depth 4, is met up to a density of "
                     f"{max(met, default=0)} of weights and features alike"}


MIXED_PAPER = {(0.035, 2): .163, (0.035, 4): .091, (0.035, 8): .084, (0.035, 16): .082,
               (0.05, 2): .241, (0.05, 4): .131, (0.05, 8): .119, (0.05, 16): .117}


def figure_12(bench: Bench) -> dict[str, Any]:
    """Fig. 12 and Table IV: dense AlexNet with a share of 16-bit data, 16 × 16."""
    shares = (0.0, 0.035, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
    points = {(share, depth): Point("alexnet", 16, (depth,) * 3, 4, density=1.0, wide=share)
              for share in shares for depth in (2, 4, 8, 16)}
    found = bench.points(list(points.values()), "Fig. 12, Table IV")
    rows = []
    for (share, depth), point in points.items():
        base = found[points[0.0, depth]]["cycles"]
        rows.append({"wide": share, "depth": depth, "extra": found[point]["cycles"] / base - 1,
                     "paper_extra": MIXED_PAPER.get((share, depth)), "bound": (1 + share) ** 2 - 1,
                     **found[point]})
    return {"rows": rows, "cause": (
        "a 16-bit value is two tokens in weights and features alike: (1 + p)² − 1 more steps at a "
        "share p, the bound; what is above it is what the FIFOs do not even out")}


def figure_13(bench: Bench) -> dict[str, Any]:
    """Fig. 13: what CE saves of the buffers' reads and capacity."""
    rows = [{"network": name, "size": size, **found} for name in NETWORKS
            for size, found in bench.buffers(name, (16, 32, 64, 128)).items()]
    return {"rows": rows, "cause": (
        "bits of FB and WB over all convolutions. 1 × 1 kernels overlap nowhere; 3 × 3 ones need a "
        "third of the features, less where lines end inside the array")}


def figure_14(bench: Bench) -> dict[str, Any]:
    """Fig. 14: array sizes × depths. 16 and 32 at (4, 4, 4): every pass of every layer."""
    points = [Point(name, size, depths, 4, whole=size <= 32 and depth == 4)
              for name in NETWORKS for size in (16, 32, 64, 128)
              for depth, depths in DEPTHS.items()]
    found = bench.points(points, "Fig. 14")
    rows = [{"network": p.network, "size": p.size, "depth": _name(p.depths), **found[p]}
            for p in points]
    real = [row for row in rows if row["network"] in REAL]
    finite = [row["speedup"] for row in real if row["depth"] != "∞"]
    by_depth = {depth: round(_mean([r["speedup"] for r in real if r["depth"] == str(depth)]), 2)
                for depth in DEPTHS}
    return {"rows": rows, "mean": f"{_mean(finite):.2f}× over sizes, AlexNet and VGG16, depths 2, "
            f"4, 8 (paper, with ResNet50: 3.2×); by depth {by_depth} (paper 2.7 at 2, 3.6 at 8)",
            "cause": f"{DENSITIES}. {RESNET50}. The paper's whiskers, images of most and "
            "least zeros, and Fig. 3, how these spread, are not reproducible here: they need "
            "ImageNet and its pruned networks"}


def where_cycles_go(bench: Bench) -> dict[str, Any]:
    """The PEs' cycles by cause, layer by layer: every pass at (4, 4, 4)."""
    points = [Point(name, size, DEPTHS[4], 4, whole=True) for name in REAL for size in (16, 32)]
    found = bench.points(points, "where the cycles go")
    rows = []
    for point in points:
        layers = bench.layers(point)
        for name, one in layers.items():
            pe_cycles = point.size ** 2 * one["cycles"]
            rows.append({"network": point.network, "size": point.size, "layer": name,
                         "cycles": one["cycles"], "share": one["cycles"] / found[point]["cycles"],
                         "idle_share": one["idle_share"],
                         **{cause: one["causes"][cause] / pe_cycles for cause in CAUSES}})
        rows.append({"network": point.network, "size": point.size, "layer": "all", "share": 1.0,
                     **found[point]})
    return {"rows": rows, "cause": (
        "shares of PEs × DS cycles. multiply: a step with a pair; select: one without; starved: a "
        "register is empty; blocked, drain: WF-FIFO is full, since the MAC is busy or since RF is. "
        "At ratio 4 a quarter multiplies at most. A PE without a pixel or kernel (idle, counted "
        "among select and starved) gets placeholders")}


def table_5(bench: Bench) -> dict[str, Any]:
    """Table V: resources and speed-up of 32 × 32."""
    paper = {2: (12, 2.49), 4: (22, 3.05), 8: (32, 3.29)}
    rows = []
    for depth, (capacity, speedup) in paper.items():
        config = PRESETS["paper-32"]
        points = [Point(name, 32, DEPTHS[depth], 4, whole=True) for name in ("alexnet", "vgg16")]
        found = bench.points(points, f"Table V, depth {depth}")
        papers_bits = 1024 * depth * 43 + 32 * 16 * 13
        ours = 1024 * depth * (config.weight_bits + config.feature_bits + config.pair_bits)
        rows.append({
            **bench.together(points), "depth": depth,
            "fifo_kb": (ours + 32 * config.hold_depth * config.feature_bits) / 8192,
            "papers_widths_kb": papers_bits / 8192, "paper_kb": capacity,
            "multipliers": config.pes, "sram_kb": (config.rows * config.fb_tokens *
                                                   config.feature_bits + config.cols *
                                                   config.wb_tokens * config.weight_bits) / 8192,
            "mean": _mean([f["speedup"] for f in found.values()]), "paper_speedup": speedup})
    return {"rows": rows, "cause": (
        "43 bits (14 + 13 + 16) at depths 2 and 4 give the paper's 12 and 22 KB with the CEs; its "
        "32 KB at depth 8 does not follow from its own widths. Ours has two more bits in a pair, "
        "that there is one and that it ends a kernel. speedup: AlexNet's and VGG16's cycles "
        "together; mean: of the two; " + DENSITIES)}


def _name(depths: tuple[int, int, int]) -> str:
    return str(depths[0]) if depths[0] else "∞"


def _mean(values: list[float]) -> float:
    return sum(values) / max(1, len(values))


@dataclass(frozen=True)
class Section:
    title: str
    data: Callable[[Bench], dict[str, Any]]
    columns: tuple[str, ...]


COMMON = ("speedup", "without_overlap", "plus_minus", "must", "weights", "features", "cycles")
SECTIONS = {
    "fig10": Section("Fig. 10: FIFO depths × DS:MAC ratio, 16 × 16", figure_10,
                     ("network", "depth", "ratio", *COMMON)),
    "fig11": Section("Fig. 11: AlexNet by density, 32 × 32", figure_11,
                     ("density", "depth", "latency", *COMMON)),
    "fig12": Section("Fig. 12 and Table IV: dense AlexNet, share of 16-bit data, 16 × 16",
                     figure_12, ("wide", "depth", "extra", "paper_extra", "bound", "plus_minus",
                                 "cycles")),
    "fig13": Section("Fig. 13: what CE saves", figure_13, (
        "network", "size", "reads_saved", "capacity_saved", "feature_reads_saved",
        "feature_capacity_saved")),
    "fig14": Section("Fig. 14: array sizes × FIFO depths", figure_14,
                     ("network", "size", "depth", *COMMON, "ds_busy", "mac_busy")),
    "cycles": Section("Where the cycles go: (4, 4, 4), ratio 4", where_cycles_go, (
        "network", "size", "layer", "cycles", "share", *CAUSES, "idle_share")),
    "table5": Section("Table V: 32 × 32", table_5, (
        "depth", "fifo_kb", "papers_widths_kb", "paper_kb", "multipliers", "sram_kb", "speedup",
        "mean", "paper_speedup", "without_overlap", "must", "weights", "features", "cycles")),
}
SHARES = {"plus_minus", "must", "weights", "features", "extra", "paper_extra", "bound", "wide",
          "reads_saved", "capacity_saved", "feature_reads_saved", "feature_capacity_saved",
          "ds_busy", "mac_busy", "share", "idle_share", *CAUSES}


def reproduce(console: Console, folder: Path | None = None, only: str | None = None) -> dict[
        str, Any]:
    """Prints each section as it is there; the same as plain data. `folder` takes plots and keeps
    finished points, so that an interrupted run goes on where it was. `only`: a section; a figure's
    number is enough."""
    if only is not None:
        only = f"fig{only}" if only.isdecimal() else only
        if only not in SECTIONS:
            raise ValueError(f"--only must be one of {', '.join(SECTIONS)}, not {only}")
    bench = Bench(folder)
    data: dict[str, Any] = {}
    for name, section in SECTIONS.items():
        if only in (None, name):
            data[name] = section.data(bench)
            _show(console, section, data[name])
            if folder:
                draw(folder, name, data[name])
    return data


def _show(console: Console, section: Section, data: dict[str, Any]) -> None:
    def value(row: dict[str, Any], key: str) -> Any:
        found = row.get(key)
        return percent(found) if key in SHARES and isinstance(found, float) else found
    rows = [[value(row, key) for key in section.columns] for row in data["rows"]]
    console.print(table(section.title, section.columns, rows))
    for key in ("paper", "mean", "cause"):
        if data.get(key) is not None:
            console.print(f"{key}: {data[key]}", highlight=False)
    console.print()
