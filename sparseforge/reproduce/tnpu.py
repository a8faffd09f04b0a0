"""``sparseforge reproduce tnpu``: the figures of Li et al., ASP-DAC 2019.

Fig. 7 is whole batches of 50 in the cycle model, which equals the RTL cycle for cycle; the closed
form of `golden/tnpu/estimate.py` over the same instructions stands beside it, so that a reader sees
what it leaves out. What is swept is in the closed form (`tnpu_sweeps.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from math import prod
from pathlib import Path
from time import process_time
from typing import Any

from rich.console import Console

from golden.tnpu import estimate, timing
from golden.tnpu.compile import compile
from golden.tnpu.estimate import Cost
from golden.tnpu.schedule import SCHEDULES, slots
from sparseforge import progress
from sparseforge.report.text import table
from sparseforge.reproduce import sections
from sparseforge.reproduce.kept import kept
from sparseforge.reproduce.sections import number
from sparseforge.reproduce.tnpu_networks import NETWORKS, benchmark
from sparseforge.reproduce.tnpu_sweeps import (
    BATCH,
    PAPER,
    buffers,
    costs,
    gradients,
    ideal,
    multiplexed,
    rate,
    ratios,
    reuse,
)

RIVALS = {"time_multiplexed": "DaDianNao", "separate": "DNPU"}
# Fig. 7: over DNPU, over DaDianNao, as the text gives them.
SPEEDUPS = {"LeNet-5": (1.748, 1.601), "VGG16": (None, 1.131)}
GHZ = 0.4


def geometric(values: list[float]) -> float:
    return float(prod(values) ** (1 / len(values)))


@cache
def modelled(name: str, schedule: str) -> dict[str, Any]:
    """A whole batch in the cycle model: cycles, each unit's share of cycles that multiply."""
    return kept("tnpu", f"{name}, {schedule}, batch {BATCH}", lambda: _modelled(name, schedule))


def _modelled(name: str, schedule: str) -> dict[str, Any]:
    began = process_time()
    report = timing.time(compile(benchmark(name), PAPER, BATCH, schedule=schedule)).report
    return {"cycles": report.cycles, "seconds": process_time() - began,
            **{f"busy_{unit}": report.counters[f"multiply_{unit}"] / report.cycles
               for unit in "cf"}}


def figure_1() -> dict[str, Any]:
    """Training against convolutions alone: products per cycle of the time-multiplexed machine."""
    rows = []
    for name in NETWORKS:
        part = costs(name)
        conv = [part["c", phase] for phase in ("FP", "BP", "GD")]
        alone = sum(c.products for c in conv) / multiplexed(
            {key: c for key, c in part.items() if key[0] == "c"}, rate(PAPER))
        whole = (sum(c.products for key, c in part.items() if key[1] != "WU")
                 / multiplexed(part, rate(PAPER)))
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
    """Training performance, batch 50: the cycle model, whole batches."""
    rows: list[dict[str, Any]] = []
    cases = [(name, schedule) for name in NETWORKS for schedule in SCHEDULES]
    runs = {case: modelled(*case) for case in progress.steps(cases, len(cases), "Fig. 7: batches")}
    for name in NETWORKS:
        cycles = {schedule: runs[name, schedule]["cycles"] for schedule in SCHEDULES}
        rows.append({"network": name, "cycles": cycles,
                     "dnpu": cycles["separate"] / cycles["sosm"],
                     "dadiannao": cycles["time_multiplexed"] / cycles["sosm"],
                     "paper": SPEEDUPS.get(name, (None, None)), "closed": ratios(costs(name)),
                     "busy_c": {s: runs[name, s]["busy_c"] for s in SCHEDULES},
                     "busy_f": {s: runs[name, s]["busy_f"] for s in SCHEDULES},
                     "seconds": sum(runs[name, s]["seconds"] for s in SCHEDULES)})
    return {"rows": rows, "mean": {key: geometric([row[key] for row in rows])
                                   for key in ("dnpu", "dadiannao")},
            "paper": {"dnpu": 1.55, "dadiannao": 1.32},
            "cause": "Per instance every FC weight crosses the bus four times (FP, BP, gradient in "
                     "and out); the paper must have kept or reused more of them: see `gradients` "
                     "and `reuse`. busy: a unit's share of cycles that multiply."}


def figure_8() -> dict[str, Any]:
    """Energy as operations and on-chip accesses."""
    rows = []
    for name in NETWORKS:
        whole = sum((c for key, c in costs(name).items() if key[1] != "WU"), Cost())
        rows.append({"network": name, "products": whole.products, "accesses": whole.accesses,
                     "words": PAPER.lanes * whole.beats,
                     "time": (estimate.instance(costs(name), "sosm", rate(PAPER))
                              / multiplexed(costs(name), rate(PAPER)))})
    return {"rows": rows, "paper": {"dnpu": -0.357, "dadiannao": -0.241},
            "cause": "A schedule changes no operation and no access: the energy that it can save "
                     "is what idle cycles cost (clock, leakage), in proportion to the time. The "
                     "paper's saving is of that size; its conclusion swaps the two rivals."}


def figure_9() -> dict[str, Any]:
    """Bandwidth from 11 to 24 GB/s: geometric mean of performance, over that at 17.1."""
    rows = []
    for bandwidth in (11, 13, 15, 17.1, 19, 21, 24):
        words = bandwidth / (GHZ * 4 * PAPER.lanes)
        mean = {schedule: geometric([1 / estimate.instance(
            costs(name), schedule, words, pool=estimate.pooled(PAPER)) for name in NETWORKS])
            for schedule in ("sosm", "time_multiplexed", "separate")}
        rows.append({"gb_s": bandwidth, **mean})
    full = next(row for row in rows if row["gb_s"] == 17.1)["sosm"]
    for row in rows:
        for schedule in ("sosm", "time_multiplexed", "separate"):
            row[schedule] /= full
    return {"rows": rows, "cause": "Closed form. TNPU's curve is flat in the paper only if the FC "
            "layers' words fit the bus beside the convolutions; at four transfers they do not."}


SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "fig1": figure_1, "fig2": figure_2, "fig5": figure_5, "fig7": figure_7, "fig8": figure_8,
    "fig9": figure_9, "ideal": ideal, "gradients": gradients, "reuse": reuse, "buffers": buffers}


def reproduce(console: Console, folder: Path | None, only: str | None) -> dict[str, Any]:
    """Prints the sections and returns them; `only` names one. `folder` takes the plots."""
    data = sections.run(SECTIONS, only, partial(_show, console))
    if folder is not None:
        from sparseforge.reproduce.tnpu_plots import draw
        for path in draw(folder, data):
            console.print(f"written: {path}", highlight=False)
    return data


def _show(console: Console, title: str, section: dict[str, Any]) -> None:
    rows = section["rows"]
    keys = list(rows[0])
    console.print(table(title, keys,
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
    return number(value)
