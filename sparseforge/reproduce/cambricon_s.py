"""``sparseforge reproduce cambricon_s``: what each sparsity gains, by the cycle model.

Tensors are synthetic unless it says otherwise: kept blocks at random places at the published
densities, in the paper's blocks, with as many values as its codebooks have (8 bits in convolutions,
4 in FC layers), each sub-matrix with its own. The dense machine has no codebooks: 16-bit weights,
none of them zero. Cambricon-X is this machine with an index per PE, blind for neurons that are
zero, on fine-grained 16-bit weights of the same density.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from golden.layers import Layer
from sparseforge import progress
from sparseforge.networks import network
from sparseforge.report.text import table
from sparseforge.reproduce import cambricon_s_runs as runs
from sparseforge.reproduce import sections
from sparseforge.reproduce.cambricon_s_runs import MACHINES, PAPER
from sparseforge.reproduce.cambricon_s_shapes import SHAPES
from sparseforge.reproduce.cambricon_s_sizes import compression

BUSES = (64, 128, 256, 512, 1024)
WEIGHTS, NEURONS = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0), (0.2, 0.4, 0.7, 1.0)
NETWORKS = ("alexnet", "vgg16")
HEADLINE = 1.71         # over Cambricon-X, the paper's abstract
EIE_FRAMES = 1.88e4     # of AlexNet's FC layers per second, its paper's abstract (Han et al. 2016)


def geomean(values: Iterable[float]) -> float:
    found = list(values)
    return exp(sum(map(log, found)) / len(found))


def example() -> dict[str, Any]:
    """Section IV's principle: multiplications of one output group of 2 outputs, 8 inputs (ours)."""
    neurons = np.array([3, 0, 5, 1, 0, 0, 2, 4])
    index = np.array([1, 1, 0, 1, 0, 0, 1, 0], bool)
    both = int((index & (neurons != 0)).sum())
    return {"rows": [{"machine": "dense", "multiplications": 2 * len(neurons)},
                     {"machine": "static", "multiplications": 2 * int(index.sum())},
                     {"machine": "static and dynamic", "multiplications": 2 * both}],
            "cause": "The example's figures are ours: the paper's are lost in its text."}


def _entries(names: Iterable[str], what: str) -> Iterable[tuple[str, Any, bool]]:
    every = [(name, entry, n + 1 == len(network(name).entries)) for name in names
             for n, entry in enumerate(network(name).entries)]
    return progress.steps(every, len(every), what)


def speedup() -> dict[str, Any]:
    """Speed-up over the dense machine: static, dynamic, both, Cambricon-X; preset paper."""
    rows = []
    for name, entry, last in _entries(NETWORKS, "speed-up: layers"):
        known = entry.densities
        found = {machine: runs.kept_run(entry.layer, known.weights, known.activations, machine,
                                        last) for machine in MACHINES}
        dense = found["dense"]["cycles"]
        rows.append({"network": name, "layer": entry.layer.name, "dense cycles": dense,
                     **{machine: dense / found[machine]["cycles"]
                        for machine in MACHINES if machine != "dense"},
                     "reachable": dense / found["both"]["bound"], "ideal": found["both"]["ideal"],
                     "over X": found["x"]["cycles"] / found["both"]["cycles"]})
    rows += _means(rows)
    return {"rows": rows, "cause":
            f"Ideal: dense multiplications over those of two operands that are not zero. "
            f"Reachable: dense cycles over the larger of both's work bound (multiplications of two "
            f"operands that are not zero, on all multipliers) and memory bound (beats). The paper "
            f"says {HEADLINE}x over Cambricon-X. FC layers wait for their synapses: neurons that "
            f"are zero save nothing there. Fine: unstructured weights on this machine."}


def lanes() -> dict[str, Any]:
    """Layers of few channels: how full the multipliers are, dense tensors, preset paper."""
    layers = [*network("alexnet").layers[:2],
              Layer(name="depthwise", c=64, h=56, w=56, k=64, r=3, s=3, pad=1, groups=64)]
    rows = []
    for layer in progress.steps(layers, len(layers), "few channels"):
        one = runs.kept_run(layer, 1.0, 1.0, "both")
        depth = layer.c // layer.groups
        rows.append({"layer": layer.name, "channels": depth, "outputs of a group":
                     min(PAPER.tm, layer.k // layer.groups), "occupancy": one["occupancy"],
                     "multiplications, of the layer's": one["macs_done"] / layer.macs,
                     "cycles": one["cycles"], "bound": one["bound"]})
    return {"rows": rows, "cause":
            "A window holds a kernel row's pixels of whole granules of 16 places: of conv1's 11 x "
            "16 = 176 places 33 have a neuron, 3 vectors where 2.1 would do. A depthwise layer has "
            "one output per group, so that 1 of 16 PEs works, and 3 neurons per kernel row, 3 of "
            "16 lanes, unless several rows fit a set; zero synapses of the other 15 count as done. "
            "Where pooling windows overlap, both tiles at a border compute its sums."}


def _means(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Geometric means over the convolutions, and over the FC layers."""
    out = []
    for name in NETWORKS:
        for kind, head in (("convolutions", "conv"), ("FC layers", "fc")):
            mine = [row for row in rows if row["network"] == name
                    and row["layer"].startswith(head)]
            out.append({"network": name, "layer": f"mean of {kind}",
                        "dense cycles": sum(row["dense cycles"] for row in mine),
                        **{key: geomean(row[key] for row in mine) for key in mine[0]
                           if key not in ("network", "layer", "dense cycles")}})
    return out


def moved() -> dict[str, Any]:
    """Bytes from and to memory, with local quantisation and with 16-bit weights; SB accesses."""
    rows = []
    for name, entry, last in _entries(NETWORKS, "bytes: layers"):
        known = entry.densities
        one, plain, dense = (runs.kept_run(entry.layer, known.weights, known.activations, machine,
                                           last) for machine in ("both", "plain", "dense"))
        rows.append({"network": name, "layer": entry.layer.name,
                     "synapse bytes": one["synapse_bytes"], "of 16 bits": plain["synapse_bytes"],
                     "index bytes": one["index_bytes"], "neuron bytes": one["neuron_bytes"],
                     "dense bytes": dense["synapse_bytes"] + dense["neuron_bytes"],
                     "cycles": one["cycles"], "cycles of 16 bits": plain["cycles"],
                     "SB accesses": one["issues"], "SB accesses, dense": dense["issues"]})
    return {"rows": rows, "cause": "SB accesses: views that every PE reads. Bytes count what "
            "crosses the bus, as often as it does."}


def measured() -> dict[str, Any]:
    """Our own pruned CNN and MLP for the digits, on held-out images: densities measured."""
    return {"rows": [runs.kept_digits(name) for name in progress.steps(
        ("digits", "digits-mlp"), 2, "digits")]}


def sweep() -> dict[str, Any]:
    """Speed-up of both sparsities over the dense machine: weights x neurons kept."""
    rows, points = [], [(w, n) for w in WEIGHTS for n in NEURONS]
    work = [(name, w, n) for name in SHAPES for w, n in points]
    for name, w, n in progress.steps(work, len(work), "sweep"):
        taken: dict[str, list[float]] = {"convolutions": [], "FC layers": []}
        base = dict.fromkeys(taken, 0.0)
        for layer, times in SHAPES[name]:
            kind = "FC layers" if layer.is_fc else "convolutions"
            dense = runs.kept_run(layer, 1.0, 1.0, "dense")["cycles"]
            base[kind] += times * dense
            taken[kind].append(times * runs.kept_run(layer, w, n, "both")["cycles"])
        rows.append({"network": name, "weights": w, "neurons": n, "ideal": 1 / (w * n),
                     **{kind: base[kind] / sum(taken[kind]) if taken[kind] else None
                        for kind in taken}})
    return {"rows": rows}


def latency() -> dict[str, Any]:
    """FC layers with all synapses on chip (the paper's comparison with EIE): us at 1 GHz."""
    rows: list[dict[str, Any]] = []
    for name, entry, last in _entries(NETWORKS, "on chip: layers"):
        if not entry.layer.is_fc:
            continue
        known = entry.densities
        one = runs.kept_run(entry.layer, known.weights, known.activations, "both", last)
        rows.append({"network": name, "layer": entry.layer.name, "on chip, us": one["busy"] / 1e3,
                     "from memory, us": one["cycles"] / 1e3, "EIE, us": None})
    sums = [{"network": name, "layer": "all FC layers", **{
        key: sum(row[key] for row in rows if row["network"] == name)
        for key in ("on chip, us", "from memory, us")},
        "EIE, us": 1e6 / EIE_FRAMES if name == "alexnet" else None} for name in NETWORKS]
    mean = {"network": "", "layer": "geometric mean of layers",
            **{key: geomean(row[key] for row in rows)
               for key in ("on chip, us", "from memory, us")}, "EIE, us": None}
    return {"rows": [*rows, *sums, mean], "cause":
            "On chip: the cycles in which vectors leave NSM, nothing else; from memory: all of "
            "them, over a bus of 512 bits. EIE: 64 PEs at 800 MHz, one multiplier each, against "
            "256 multipliers here."}


def bus() -> dict[str, Any]:
    """AlexNet conv3 and fc7 against the width of the bus."""
    entries = {entry.layer.name: entry for entry in network("alexnet").entries}
    rows = []
    for bits in progress.steps(BUSES, len(BUSES), "bus widths"):
        row: dict[str, Any] = {"bits": bits}
        for name in ("conv3", "fc7"):
            entry = entries[name]
            row[name] = runs.kept_run(entry.layer, entry.densities.weights,
                                      entry.densities.activations, "both",
                                      cfg=replace(PAPER, memory_bits=bits))["cycles"]
        rows.append(row)
    knees = ", ".join(f"{name} {knee(rows, name)} bits" for name in ("conv3", "fc7"))
    return {"rows": rows, "cause": f"The knee, from where on a bus of twice the bits saves less "
                                   f"than a tenth of the cycles: {knees}."}


def knee(rows: list[dict[str, Any]], name: str) -> int:
    """The narrowest bus whose next wider ones save less than a tenth each."""
    best = rows[-1]
    for narrow, wide in zip(rows[-2::-1], rows[:0:-1], strict=True):
        if wide[name] < 0.9 * narrow[name]:
            break
        best = narrow
    return int(best["bits"])


# Module names and what of the paper they are.
AREA_ROWS = [("*nbin*", "NBin"), ("*nfu_nbout*", "NBout"), ("*_sib*", "SIB"), ("NSM*", "NSM"),
             ("Dispatch*", "SSM's view"), ("PE_sb*", "SB"), ("PE_ssm*", "SSM"), ("PE_wdm*", "WDM"),
             ("PE*", "PEFU"), ("*nfu*", "NFU, rest"), ("*_cp*", "CP and IB"),
             ("*load*", "DMA"), ("*store*", "STORE"), ("*feed*", "feed")]


def area() -> dict[str, Any]:
    """Shares of the area by the paper's blocks, generic gates; preset paper."""
    from hw.cambricon_s.top import Top
    from synth import flow
    from synth.report import group
    with progress.working("synthesising the Top"):
        found = flow.synthesise(Top(PAPER), name="cambricon_s")
    sums = group(found, AREA_ROWS, rest="shell and bus")
    return {"rows": [{"part": name, "gate equivalents": round(entry["gate_equivalents"]),
                      "memory bits": entry["memory_bits"],
                      "memories as gates": round(entry["memory_ge"]), "share": entry["share"]}
                     for name, entry in sums.items()],
            "cause": "The paper's areas by module are in no text that can be read: ours alone. "
                     "NAND2 equivalents without wires, a RAM bit as 1.5 to 2.5 of them."}


SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "example": example, "compression": compression, "speedup": speedup, "lanes": lanes,
    "moved": moved, "measured": measured, "sweep": sweep, "latency": latency, "bus": bus,
    "area": area}


def reproduce(console: Console, folder: Path | None, only: str | None) -> dict[str, Any]:
    """Prints the sections and returns them, plots into `folder`; `only` names one."""
    data = sections.run(SECTIONS, only, partial(_show, console))
    if folder is not None:
        from sparseforge.reproduce.cambricon_s_plots import draw
        for path in draw(folder, data):
            console.print(f"plot: {path}")
    return data


def _show(console: Console, title: str, section: dict[str, Any]) -> None:
    rows = section["rows"]
    console.print(table(title, list(rows[0]), [list(map(_text, row.values())) for row in rows]))
    if "cause" in section:
        console.print(section["cause"], highlight=False)


def _text(value: Any) -> Any:
    return "" if value is None else value

