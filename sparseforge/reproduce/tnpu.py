"""``sparseforge reproduce tnpu``: the figures of Li et al., ASP-DAC 2019.

LeNet-5 and MPCNN are whole batches of 50 in the cycle model, which equals the RTL cycle for cycle.
The large networks are the closed form of `golden/tnpu/estimate.py` over the same instructions; it
stands beside the model for the small ones, so that a reader sees what it leaves out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from rich.console import Console

from golden.tnpu import estimate, timing
from golden.tnpu.compile import compile
from golden.tnpu.estimate import Cost
from golden.tnpu.schedule import SCHEDULES, slots
from hw.tnpu.config import PRESETS, TNPUConfig
from sparseforge import progress
from sparseforge.report.text import table
from sparseforge.reproduce.tnpu_networks import NETWORKS, SMALL, benchmark, macs

BATCH = 50
PAPER = PRESETS["paper"]
RIVALS = {"time_multiplexed": "DaDianNao", "separate": "DNPU"}
# Fig. 7: over DNPU, over DaDianNao, as the text gives them.
SPEEDUPS = {"LeNet-5": (1.748, 1.601), "VGG16": (None, 1.131)}
GHZ = 0.4


def geometric(values: list[float]) -> float:
    return float(prod(values) ** (1 / len(values)))


@cache
def costs(name: str, cfg: TNPUConfig = PAPER) -> dict[tuple[str, str], Cost]:
    """What an instance asks of each unit."""
    return estimate.phases(compile(benchmark(name), cfg, 2))


@cache
def modelled(name: str, schedule: str, cfg: TNPUConfig = PAPER) -> timing.Timed:
    """A whole batch in the cycle model."""
    own = replace(cfg, share_c=128) if schedule == "separate" else cfg
    return timing.time(compile(benchmark(name), own, BATCH, schedule=schedule))


def rate(cfg: TNPUConfig) -> float:
    return cfg.rate_beats / cfg.rate_cycles


def per_instance(name: str, schedule: str, cfg: TNPUConfig = PAPER) -> float:
    """Cycles of an instance: the model's where it runs, else the closed form's."""
    if name in SMALL:
        return modelled(name, schedule, cfg).cycles / BATCH
    return estimate.instance(costs(name, cfg), schedule, rate(cfg))


def figure_1() -> dict[str, Any]:
    """Training against convolutions alone: products per cycle of the time-multiplexed machine."""
    rows = []
    for name in NETWORKS:
        part = costs(name)
        conv = [part["c", phase] for phase in ("FP", "BP", "GD")]
        alone = sum(c.products for c in conv) / sum(c.time(rate(PAPER)) for c in conv)
        whole = (sum(c.products for key, c in part.items() if key[1] != "WU")
                 / estimate.instance(part, "time_multiplexed", rate(PAPER)))
        rows.append({"network": name, "conv": alone, "training": whole, "share": whole / alone})
    return {"rows": rows, "paper": "DaDianNao reaches no more than half of its performance on "
            "convolutions", "cause": "The FC layers' weights come from memory for every instance."}


def figure_2() -> dict[str, Any]:
    """Computation to communication: operations per word over the bus, conv against FC."""
    rows = []
    for name in NETWORKS:
        part = costs(name)
        ratio = {}
        for unit in "cf":
            blocks = [part[unit, phase] for phase in ("FP", "BP", "GD")]
            values = PAPER.lanes * sum(b.beats for b in blocks)
            ratio[unit] = 2 * sum(b.products for b in blocks) / values
        rows.append({"network": name, "conv": ratio["c"], "fc": ratio["f"]})
    return {"rows": rows, "cause": "Our convolutions load their inputs again for every 16 output "
            "channels: buffers of 0.5 MB, not 36 MB."}


def figure_5() -> dict[str, Any]:
    """Slots of a batch of 50."""
    return {"rows": [{"schedule": name, "slots": len(slots(BATCH, live, mux)), "paper": said}
                     for name, live, mux, said in (("conventional", 1, False, 250),
                                                   ("sosm", 3, False, 152),
                                                   ("time_multiplexed", 1, True, None))]}


def figure_7() -> dict[str, Any]:
    """Training performance, batch 50."""
    rows: list[dict[str, Any]] = []
    for name in progress.steps(NETWORKS, len(NETWORKS), "Fig. 7: networks"):
        cycles = {schedule: per_instance(name, schedule) for schedule in SCHEDULES}
        closed = {schedule: estimate.instance(costs(name), schedule, rate(PAPER))
                  for schedule in SCHEDULES}
        rows.append({"network": name, "exact": name in SMALL, "cycles": cycles, "closed": closed,
                     "dnpu": cycles["separate"] / cycles["sosm"],
                     "dadiannao": cycles["time_multiplexed"] / cycles["sosm"],
                     "paper": SPEEDUPS.get(name, (None, None))})
    return {"rows": rows, "mean": {key: geometric([row[key] for row in rows])
                                   for key in ("dnpu", "dadiannao")},
            "paper": {"dnpu": 1.55, "dadiannao": 1.32},
            "cause": "Per instance every FC weight crosses the bus four times (FP, BP, gradient in "
                     "and out); the paper must have kept or reused more of them: see `reuse`."}


def figure_8() -> dict[str, Any]:
    """Energy as operations and on-chip accesses."""
    rows = []
    for name in NETWORKS:
        whole = sum((c for key, c in costs(name).items() if key[1] != "WU"), Cost())
        rows.append({"network": name, "products": whole.products, "accesses": whole.accesses,
                     "words": PAPER.lanes * whole.beats,
                     "time": per_instance(name, "sosm") / per_instance(name, "time_multiplexed")})
    return {"rows": rows, "paper": {"dnpu": -0.357, "dadiannao": -0.241},
            "cause": "A schedule changes no operation and no access: the energy that it can save "
                     "is what idle cycles cost (clock, leakage), in proportion to the time. The "
                     "paper's saving is of that size; its conclusion swaps the two rivals."}


def figure_9() -> dict[str, Any]:
    """Bandwidth from 11 to 24 GB/s: geometric mean of performance, over that at 17.1."""
    rows = []
    for bandwidth in (11, 13, 15, 17.1, 19, 21, 24):
        words = bandwidth / (GHZ * 4 * PAPER.lanes)
        mean = {schedule: geometric([1 / estimate.instance(costs(name), schedule, words)
                                     for name in NETWORKS])
                for schedule in ("sosm", "time_multiplexed", "separate")}
        rows.append({"gb_s": bandwidth, **mean})
    full = next(row for row in rows if row["gb_s"] == 17.1)["sosm"]
    for row in rows:
        for schedule in ("sosm", "time_multiplexed", "separate"):
            row[schedule] /= full
    return {"rows": rows, "cause": "Closed form. TNPU's curve is flat in the paper only if the FC "
            "layers' words fit the bus beside the convolutions; at four transfers they do not."}


def reuse() -> dict[str, Any]:
    """What the paper leaves out: FC weights read once for b instances, gradients formed per b."""
    rows = []
    for name in NETWORKS:
        net, part = benchmark(name), costs(name)
        conv = sum((part["c", phase] for phase in ("FP", "BP", "GD")), Cost())
        words = sum(layer.weight_count for layer in net.layers[net.convs:]) / PAPER.lanes
        for transfers in (4, 3):
            for b in (1, 5, 50):
                t_c = conv.time(rate(PAPER))
                t_f = max(transfers * words / rate(PAPER) / b, 3 * words)
                bus = (conv.beats + transfers * words / b) / rate(PAPER)
                sosm = max(conv.compute, 3 * words, bus)
                rows.append({"network": name, "w": transfers, "b": b,
                             "dadiannao": (t_c + t_f) / sosm})
    return {"rows": rows, "cause": "w weight-sized transfers per instance, FC weights reused over "
            "b instances: T_c + T_f against the larger of computing and bus."}


def ideal() -> dict[str, Any]:
    """The arithmetic of the paper's own terms: full use of 256 multipliers, a free conv bus."""
    rows = []
    for name in NETWORKS:
        net = NETWORKS[name]()
        conv, _ = macs(net)
        t_c = (3 * conv - net.layers[0].macs) / PAPER.lanes**2
        words = sum(layer.weight_count for layer in net.layers[net.convs:]) / PAPER.lanes
        row: dict[str, Any] = {"network": name, "t_c": t_c}
        for w in (2, 3, 4):
            t_f = w * words / rate(PAPER)
            row[f"w{w}"] = (t_c * 256 / 272 + t_f) / max(t_c, t_f)
        rows.append(row)
    return {"rows": rows, "cause": "At w = 3 VGG16 comes to the paper's 1.13×: its machine moves "
            "three weight-sized transfers per instance, with buffers that hide the convolutions'."}


SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "fig1": figure_1, "fig2": figure_2, "fig5": figure_5, "fig7": figure_7, "fig8": figure_8,
    "fig9": figure_9, "ideal": ideal, "reuse": reuse}


def reproduce(console: Console, folder: Path | None, only: str | None) -> dict[str, Any]:
    """Prints the sections and returns them; `only` names one. `folder` takes Fig. 7 and 9."""
    if only is not None and only not in SECTIONS:
        raise ValueError(f"--only must be one of {', '.join(SECTIONS)}, not {only}")
    data = {}
    for name in [only] if only else SECTIONS:
        data[name] = SECTIONS[name]()
        _show(console, name, SECTIONS[name].__doc__ or "", data[name])
    if folder is not None:
        from sparseforge.reproduce.tnpu_plots import draw
        for path in draw(folder, data):
            console.print(f"written: {path}", highlight=False)
    return data


def _show(console: Console, name: str, title: str, section: dict[str, Any]) -> None:
    rows = section["rows"]
    keys = list(rows[0])
    console.print(table(f"{name}: {title.splitlines()[0]}", keys,
                        [[_text(row[key]) for key in keys] for row in rows]))
    for key in ("mean", "paper"):
        if key in section:
            console.print(f"{key}: {_text(section[key])}", highlight=False)
    if "cause" in section:
        console.print(section["cause"], highlight=False)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items())
    if isinstance(value, tuple):
        return " / ".join(_text(one) for one in value)
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
