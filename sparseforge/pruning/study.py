"""Many seeds of a recipe: accuracy of every stage with its spread, sizes, block sweeps.

One seed is one process' work; the figures are the same whatever the number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from golden.cambricon_s.compression import Sizes, sizes
from golden.cambricon_s.irregularity import fine_mask
from golden.cambricon_s.pruning import FINE, Block
from golden.cambricon_s.quantise import Quantised
from sparseforge import progress
from sparseforge.pruning import recipe
from sparseforge.pruning.networks import Data, Effort, Plan, data
from sparseforge.pruning.recipe import Integer
from sparseforge.pruning.trainer import Net

STAGES = ("dense", "fine-grained", "coarse-grained", "global", "local", "integer")


@dataclass(frozen=True)
class Seed:
    """What one seed gave. `accuracy`: of each stage, on the held-out images."""

    seed: int
    accuracy: dict[str, float]
    sizes: dict[str, list[Sizes]]       # local, global: a layer each
    start: Net
    dense: Net
    fine: list[np.ndarray]              # fine-grained masks of the dense network, as dense as …
    masks: list[np.ndarray]             # … these coarse-grained ones
    neurons: list[float]
    books: list[Quantised]
    integers: list[Integer]


def one_seed(plans: Sequence[Plan], effort: Effort, seed: int) -> Seed:
    """Every stage of a recipe."""
    digits = data()
    start, dense = recipe.dense(plans, digits, seed, effort)
    coarse = recipe.pruned(dense, plans, digits, seed, effort)
    single = [plan.changed(block=FINE, density=float(mask.mean()))
              for plan, mask in zip(plans, coarse.masks, strict=True)]
    nets = {"dense": recipe.longer(dense, digits, seed, effort),
            "fine-grained": recipe.pruned(dense, single, digits, seed, effort).net,
            "coarse-grained": coarse.net}
    fine = [fine_mask(w, int(m.sum())) for w, m in zip(dense.weights, coarse.masks, strict=True)]
    found, books = {}, {}
    for name in ("global", "local"):
        nets[name], books[name] = recipe.quantised(coarse.net, coarse.masks, plans, digits, seed,
                                                   effort, name == "local")
        found[name] = [sizes(plan.layer.name, q, plan.pruning.block, f) if _side_by_side(plan)
                       else _without_index(plan, q, f)
                       for plan, q, f in zip(plans, books[name], fine, strict=True)]
    integers = recipe.integers(nets["local"], books["local"], digits)
    accuracy = {name: _held(net, digits) for name, net in nets.items()}
    accuracy["integer"] = recipe.integer_accuracy(integers, digits)
    return Seed(seed, accuracy, found, start, dense, fine, coarse.masks, coarse.alive.density,
                books["local"], integers)


def _side_by_side(plan: Plan) -> bool:
    return plan.pruning.block.steps == plan.pruning.block.sides


def _without_index(plan: Plan, q: Quantised, fine: np.ndarray) -> Sizes:
    """Blocks that overlap leave no block index: that of single synapses takes its place."""
    return sizes(plan.layer.name, q, FINE, fine)


def _held(net: Net, digits: Data) -> float:
    return net.accuracy(digits.held, digits.held_labels)


def one_sweep(points: Sequence[Sequence[Plan]], effort: Effort, seed: int) -> list[float]:
    """Held-out accuracies after pruning one dense network with each of these plans."""
    digits = data()
    _, dense = recipe.dense(points[0], digits, seed, effort)
    shorter = replace(effort, each=max(1, effort.each // 2), settle=max(1, effort.settle // 2))
    return [_held(recipe.pruned(dense, plans, digits, seed, shorter).net, digits)
            for plans in points]


def seeds(plans: Sequence[Plan], effort: Effort, count: int, first: int = 0,
          jobs: int | None = None) -> list[Seed]:
    """`count` seeds from `first` on."""
    work = [(one_seed, plans, effort, seed) for seed in range(first, first + count)]
    return _all(work, "training, pruning, quantising", jobs)


def sweep(plans: Sequence[Plan], blocks: Sequence[Block], effort: Effort, count: int,
          first: int = 0, jobs: int | None = None) -> list[dict[str, Any]]:
    """Accuracy by block and criterion, every layer at the density that its plan has.

    The block is that of the hidden layers, cut down where a layer is smaller; the last layer's
    stays, so that no class loses its neuron. Networks are retrained half as long as in `seeds`.
    """
    cases = [(block, criterion) for block in blocks
             for criterion in (("average", "max") if block.sides != (1, 1, 1, 1) else ("average",))]
    points = [[*(plan.changed(_fitting(block, plan), criterion) for plan in plans[:-1]), plans[-1]]
              for block, criterion in cases]
    found = _all([(one_sweep, points, effort, seed) for seed in range(first, first + count)],
                 "sweeping blocks", jobs)
    return [{"block": str(block), "criterion": criterion, "accuracy": list(values)}
            for (block, criterion), values in zip(cases, zip(*found, strict=True), strict=True)]


def _fitting(block: Block, plan: Plan) -> Block:
    layer = plan.layer
    return replace(block, fin=min(block.fin, layer.c), fout=min(block.fout, layer.k),
                   kx=min(block.kx, layer.s), ky=min(block.ky, layer.r))


def _call(work: tuple[Any, ...]) -> Any:
    function, *rest = work
    return function(*rest)


def _all(work: Sequence[tuple[Any, ...]], what: str, jobs: int | None) -> list[Any]:
    count = jobs or min(os.cpu_count() or 1, len(work), 8)
    if count == 1:
        return list(progress.steps(map(_call, work), len(work), what))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        return list(progress.steps(pool.map(_call, work), len(work), what))


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard deviation (of the sample), smallest, largest, and all of them."""
    return {"mean": float(np.mean(values)),
            "std": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
            "min": min(values), "max": max(values), "all": list(values)}


def plan_as_dict(plan: Plan) -> dict[str, Any]:
    """Plain values, for JSON."""
    how = plan.pruning
    return {"layer": plan.layer.name, "shape": list(plan.layer.weights_shape),
            "block": asdict(how.block), "criterion": how.criterion, "density": how.density,
            "threshold": how.threshold, "bits": plan.bits, "submatrix": asdict(plan.cut)}
