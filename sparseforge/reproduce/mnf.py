"""``sparseforge reproduce mnf``: the figures and tables of Yu et al., "Multiply-and-Fire".

Cycles are those of the model, which equals the RTL cycle for cycle; networks run whole, events
staying on chip, at the published densities (synthetic tensors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from golden.layers import Layer
from golden.mnf.ledger import CLOCK, FRAMES, equation_1, equation_2, ledger
from sparseforge import progress
from sparseforge.networks.network import network
from sparseforge.report.text import table
from sparseforge.reproduce import mnf_energy, mnf_runs, sections
from sparseforge.reproduce.mnf_runs import PAPER
from sparseforge.reproduce.sections import number

NETWORKS = ("alexnet", "vgg16")
FIG_8 = {"vgg16": {"dense": 19.0, "scnn": 8.31}, "alexnet": {"dense": 11.82, "scnn": 7.32}}


def equations() -> dict[str, Any]:
    """Equations 1 and 2 (Section 5.3), on the text's own examples."""
    printed, corrected = equation_1(28, 28, 3, 2, 800, 9000)
    return {"rows": [
        {"equation": "1 as printed: max(w·h/N, k·k·c/W)", "PEs": printed, "text": 2},
        {"equation": "1 corrected: max(⌈K/⌊N/(w·h)⌋⌉, ⌈k·k·C·K/W⌉)", "PEs": corrected, "text": 2},
        {"equation": "2: max(n/N, m·n/W)", "PEs": equation_2(1568, 128, 800, 9000), "text": 23}],
        "cause": "Equation 1 forgets how many output maps there are"}


def claims() -> dict[str, Any]:
    """Table 4's frame rates against the work that 297 multipliers have with these tensors."""
    rows = []
    for name in NETWORKS:
        entries = network(name).entries
        found = ledger(name, [e.layer for e in entries], {
            e.layer.name: (e.densities.weights, e.densities.activations) for e in entries})
        rows.append({
            "network": name, "frames/s": FRAMES[name], "claimed cycles": found.claimed,
            "of dense": f"{found.share:.1%}", "dense": found.total.dense,
            "zero activations skipped": found.total.events,
            "zero weights too": found.total.both,
            "first layer alone": found.rows[0].events})
    return {"rows": rows, "cause": "Neither frame rate is within reach of 297 multipliers at 200 "
            "MHz with these densities, even at full use and with zero weights skipped"}


def figure_2() -> dict[str, Any]:
    """Fig. 2: multiplier occupancy against weight and activation density."""
    layer = Layer(name="fig2", c=64, h=28, w=28, k=264, r=3, s=3, pad=1, relu=True, out_bits=8)
    rows = []
    grid = [(w, a) for w in (0.1, 0.5, 1.0) for a in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)]
    for weights, activations in progress.steps(grid, len(grid), "Fig. 2: densities"):
        run = mnf_runs.first_of_two(layer, weights, activations)
        rows.append({"weights": weights, "activations": activations, "cycles": run.cycles,
                     "occupancy": run.macs / (PAPER.multipliers * run.cycles),
                     "vectors": run.causes["compute"] / (PAPER.pes * run.cycles)})
    return {"rows": rows, "paper": "close to 100 % at every density",
            "cause": "A 3×3 layer of 64 × 28 × 28 to 264 channels, weights resident, its events "
                     "kept on chip. Zero weights are multiplied, so their density changes nothing. "
                     "`vectors`: cycles in which the MACs work; the rest of a vector's lanes lies "
                     "beyond the border. At low activation density a pass is short, and its set-up "
                     "and the drains, as long as ever, weigh more"}


def table_4() -> dict[str, Any]:
    """Table 4 recomputed: frames per second at 200 MHz."""
    rows = []
    for name in progress.steps(NETWORKS, len(NETWORKS), "Table 4: networks"):
        layers = mnf_runs.whole(name)["rows"]
        for what, own in (("convolutions", [x for x in layers if not x["fc"]]),
                          ("convolutions + FC", layers)):
            for kind in ("resident", "loaded"):
                total = sum(x[kind] for x in own)
                rows.append({"network": name, "layers": what, "weights": kind, "cycles": total,
                             "frames/s": CLOCK / total, "paper": FRAMES[name],
                             "bound": sum(x["bound"] for x in own),
                             "of bound": sum(x["bound"] for x in own) / total})
    return {"rows": rows, "cause": "See `claims`. Loaded: every weight comes from memory for every "
            "image, 128 bits per cycle; resident is the paper's assumption, which 7.6 MB on chip "
            "do not hold for AlexNet's 61 MB and VGG16's 138 MB"}


def layers() -> dict[str, Any]:
    """Every layer: cycles with resident weights, the work bound, who waited for what."""
    rows = []
    for name in NETWORKS:
        for x in mnf_runs.whole(name)["rows"]:
            places = PAPER.pes * x["resident"]
            rows.append({
                "layer": f"{name} {x['layer']}", "density": x["density"], "cycles": x["resident"],
                "bound": x["bound"], "of bound": f"{x['bound'] / x['resident']:.0%}",
                **{cause: f"{count / places:.0%}" for cause, count in x["causes"].items()},
                "weight load": x["loaded"] - x["resident"],
                "lanes": f"{x['interior']:.0%} × {x['channels']:.0%}", "passes": x["passes"]})
    return {"rows": rows, "cause": "`lanes`: at work in the interior × output channels over "
            "their places; `bound`: multiplications with a non-zero activation over 297, padding "
            "left out"}


def figure_8() -> dict[str, Any]:
    """Fig. 8: cycles of the convolutions against SCNN and its dense machine."""
    rows = []
    for name in progress.steps(NETWORKS, len(NETWORKS), "Fig. 8: networks"):
        ours = {x["layer"]: x["resident"] for x in mnf_runs.whole(name)["rows"]}
        total = {"mnf": 0.0, "scnn": 0.0, "dense": 0.0}
        for rival in mnf_runs.rivals(name):
            own = {"mnf": ours[rival["layer"]], "scnn": rival["scnn"], "dense": rival["dense"]}
            total = {key: total[key] + own[key] for key in total}
            rows.append({"network": name, "layer": rival["layer"], **own,
                         "over dense": own["dense"] / own["mnf"],
                         "over SCNN": own["scnn"] / own["mnf"]})
        paper = FIG_8[name]
        rows.append({"network": name, "layer": "all", **total,
                     "over dense": total["dense"] / total["mnf"],
                     "over SCNN": total["scnn"] / total["mnf"],
                     "paper": f"{paper['dense']}× / {paper['scnn']}×"})
    return {"rows": rows, "cause": "The same tensors. SCNN and DCNN with 3 × 6 PEs of 16 "
            "multipliers, cycles scaled by 288/297. SCNN skips zero weights as well, so that at "
            "equal multipliers it has less work than MNF: the paper's factors cannot be of equal "
            "machines"}


def accesses() -> dict[str, Any]:
    """Section 6.5: accesses by level, Table 1's layers, in millions of values."""
    rows = [{"layer": layer.name, "sparsity": sparsity, "dataflow": flow,
             **{level: counts[level] / 1e6 for level in mnf_energy.LEVELS},
             "words of weights": counts.get("words", 0) / 1e6}
            for layer, sparsity, flow, (counts, _, _) in _dataflows()]
    return {"rows": rows, "cause": (mnf_energy.__doc__ or "").split("\n\n")[1].replace("\n", " ")}


def energy() -> dict[str, Any]:
    """Fig. 1 and Table 5: those accesses times Table 5's energies, in µJ."""
    rows = []
    for layer, sparsity, flow, known in _dataflows():
        parts = mnf_energy.energy(*known)
        rows.append({"layer": layer.name, "sparsity": sparsity, "dataflow": flow, **parts,
                     "total": sum(parts.values())})
    return {"rows": rows, "paper": "MNF lowest in every case (Fig. 1)",
            "cause": "Table 5 itself gives MNF's SRAM access a twentieth and its register a "
            "fiftieth of the others': the comparison is of memories as much as of dataflows"}


def _dataflows() -> Iterator[tuple[Layer, float, str, Any]]:
    for layer in mnf_energy.LAYERS:
        for sparsity in mnf_energy.SPARSITIES:
            for flow, known in mnf_energy.dataflows(layer, sparsity, PAPER.lanes).items():
                yield layer, sparsity, flow, known


def heat() -> dict[str, Any]:
    """What every PE did over time, and what every link carried: AlexNet conv3."""
    data = mnf_runs.heat("alexnet", "conv3")
    total = [sum(bin_[n][k] for bin_ in data["heat"] for n in range(PAPER.pes))
             for k in range(len(data["causes"]))]
    return {"rows": [{"cause": cause, "PE-cycles": count}
                     for cause, count in zip(data["causes"], total, strict=True)], **data}


# Module names and what of the paper they are.
AREA_ROWS = [("PE_core_load*", "load module"), ("PE_core_dispatcher*", "dispatcher"),
             ("PE_core_cluster*", "MAC cluster, accumulate SRAM"),
             ("PE_core_weights*", "weight SRAM"), ("PE_core*", "FIFOs between them"),
             ("PE_activation*", "activation module"), ("PE_interface*", "router interface"),
             ("PE", "PE, rest"), ("*Router*", "NoC"), ("*_storage*", "storage PE"),
             ("EventGenerator*", "event generators")]


def area() -> dict[str, Any]:
    """Shares of the area by the paper's blocks, generic gates; preset paper, 11 PEs."""
    from hw.mnf.top import Top
    from synth import flow
    from synth.report import group
    with progress.working("synthesising the Top"):
        found = flow.synthesise(Top(PAPER), name="mnf")
    sums = group(found, AREA_ROWS, rest="sequencer, feeder, shell, bus")
    logic = found["total"]["gate_equivalents"]
    return {"rows": [{"part": name, "gate equivalents": round(entry["gate_equivalents"]),
                      "of logic": f"{entry['gate_equivalents'] / logic:.1%}",
                      "memory bits": entry["memory_bits"],
                      "memories as gates": round(entry["memory_ge"]),
                      "of all": f"{entry['share']:.1%}"} for name, entry in sums.items()],
            "paper": "8.3 mm² in 28 nm (Table 4), not by block",
            "cause": "NAND2 equivalents without wires, a RAM bit as 1.5 to 2.5 of them; `of all` "
                     "with memories. The event RAM of the storage PE holds a whole map of VGG16 "
                     "on either side"}


SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "equations": equations, "claims": claims, "accesses": accesses, "energy": energy,
    "fig2": figure_2, "heat": heat, "table4": table_4, "layers": layers, "fig8": figure_8,
    "area": area}


def reproduce(console: Console, folder: Path | None, only: str | None) -> dict[str, Any]:
    """Prints the sections and returns them; `only` names one. `folder` takes the plots."""
    data = sections.run(SECTIONS, only, partial(_show, console))
    if folder is not None:
        from sparseforge.reproduce.mnf_plots import draw
        for path in draw(folder, data):
            console.print(f"written: {path}", highlight=False)
    return data


def _show(console: Console, title: str, section: dict[str, Any]) -> None:
    keys = list(dict.fromkeys(key for row in section["rows"] for key in row))
    console.print(table(title, keys,
                        [[number(row.get(key)) for key in keys] for row in section["rows"]]))
    for key in ("paper", "cause"):
        if key in section:
            console.print(f"{key}: {section[key]}", highlight=False)
