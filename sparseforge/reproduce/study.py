"""Many runs of a design's model, in parallel: the figures of a paper are tables over these.

A case is what one command line would say; its figures are what that command prints with --json.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from golden.program import Memory
from sparseforge import progress, runs
from sparseforge.config import configure
from sparseforge.errors import UserError, user_input
from sparseforge.networks import network
from sparseforge.options import LayerOptions
from sparseforge.registry import design
from sparseforge.reproduce.kept import kept
from sparseforge.workload import workload

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One layer of a network on one config. `changes`: NAME=VALUE, over `preset`."""

    design: str
    network: str
    layer: str
    changes: tuple[str, ...] = ()
    densities: tuple[float, float] | None = None
    preset: str = "paper"

    def command(self, whole: bool = False) -> str:
        """The command line that gives this case, or its whole network."""
        words = ["sparseforge", "model", self.design, "--network", self.network]
        words += [] if whole else ["--layer", self.layer]
        words += [] if self.preset == "paper" else ["--preset", self.preset]
        for change in self.changes:
            words += ["--set", change]
        if self.densities:
            words += ["--weight-density", f"{self.densities[0]:g}",
                      "--activation-density", f"{self.densities[1]:g}"]
        return shlex.join(words)


def measure(case: Case) -> dict[str, Any]:
    """The case's figures, or {"refused": why}; computed once."""
    return kept(case.design, repr(case), lambda: _measure(case))


def _measure(case: Case) -> dict[str, Any]:
    chosen = design(case.design)
    try:
        with user_input():
            name, config = configure(chosen.presets(), case.preset, changes=case.changes)
        options = LayerOptions(network=case.network, layer=case.layer)
        if case.densities:
            options.weight_density, options.activation_density = case.densities
        setting = runs.Setting(chosen, name, config, Memory())
        answer = runs.model(setting, workload(options))
    except UserError as error:
        return {"refused": str(error)}
    return {**answer.total.as_dict(), "name": case.layer}


def study(cases: Iterable[Case], what: str, jobs: int | None = None) -> dict[Case, dict[str, Any]]:
    """Every case's figures, the same whatever `jobs` (processes; None: one for each CPU)."""
    wanted = list(dict.fromkeys(cases))
    count = jobs or min(os.cpu_count() or 1, 8)
    if count == 1:
        return dict(zip(wanted, progress.steps(map(measure, wanted), len(wanted), what),
                        strict=True))
    # Fresh processes: threads of BLAS and Numba do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        found = progress.steps(pool.map(measure, wanted, chunksize=2), len(wanted), what)
        return dict(zip(wanted, found, strict=True))


def compared(name: str) -> Sequence[str]:
    """The layers of a network that published comparisons count."""
    return network(name).compared


def total(figures: Iterable[Figures]) -> dict[str, Any]:
    """Sums of layers run one by one, and the ratios of the sums. Refused layers are left out
    and counted."""
    all_of_them = list(figures)
    good = [f for f in all_of_them if "refused" not in f]
    keys = ("cycles", "cycles_layer", "macs_effectual", "macs_dense", "dense_cycles",
            "bound_compute", "ideal_cycles")
    sums: dict[str, Any] = {key: sum(f[key] for f in good) for key in keys}
    sums["refused"] = len(all_of_them) - len(good)
    if good:
        multipliers = good[0]["dense_multipliers"]
        sums["speedup"] = sums["dense_cycles"] / sums["cycles_layer"]
        sums["oracle"] = sums["dense_cycles"] / max(1, sums["bound_compute"])
        sums["utilization"] = sums["macs_effectual"] / (multipliers * sums["cycles_layer"])
        sums["mean_utilization"] = sum(f["utilization"] for f in good) / len(good)
    return sums
