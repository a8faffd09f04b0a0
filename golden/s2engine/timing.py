"""A pass through the array: from operands to cycles, buffers and memory aside, exact."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden.jit import njit
from golden.s2engine import array as model
from golden.s2engine import ranks
from golden.s2engine.masks import tokens
from golden.s2engine.plan import Plan
from golden.s2engine.stage import column_order

LONGEST = 1 << 30       # cycles that the model's words hold


@dataclass(frozen=True, kw_only=True)
class ArrayRun:
    """What a pass takes in the array. PE-cycles unless another unit is given."""

    cycles: int                 # first token into the array to last result out of it
    causes: dict[str, int]
    products: int               # multiplications done
    steps: int                  # of the DSs
    fb_groups: int              # groups and tokens read from FB
    fb_tokens: int
    fb_tokens_alone: int        # what FB would be read without CE
    wb_tokens: int
    busy: np.ndarray            # int64 [rows, cols]: multiplications
    marks: tuple[int, ...]      # most words that a W-, F-, WF-FIFO held; 0: not asked


@njit(nogil=True)
def _run(a, weights, features, order, size, tiles, switched, ends):
    """The tiles (first pixel, pixels, first kernel, kernels) one after the other.

    size: (kernel rows, stride, output columns). `ends` takes the last result's cycle of each.
    """
    rows, cols = a.step.shape
    kernel_rows, stride, line = size
    many = features.shape[0]
    chosen = np.zeros((cols, model.MASKS), np.int64)
    given = np.zeros((rows, model.MASKS), np.int64)
    source, keep = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    for t in range(len(tiles)):
        first, pixels, kernel, kernels = tiles[t]
        number = 0
        for c in range(many):
            for r in range(kernel_rows):
                for at in range(len(order)):
                    column, k, final = order[at]
                    chosen[:] = 0
                    for j in range(kernels):
                        chosen[j] = weights[kernel + j, number]
                    for i in range(rows):
                        given[i] = 0
                        source[i], keep[i] = model.EMPTY, 0
                        if i < pixels:
                            y, x = (first + i) // line, (first + i) % line
                            given[i] = features[c, y * stride + r, x * stride + column]
                            begin, end = i == 0 or x == 0, i == pixels - 1 or x == line - 1
                            alone = k == 0 or end or not switched
                            source[i] = model.FB if alone else model.CHAIN
                            keep[i] = switched and not begin and not final
                    number += 1
                    ranks.group(a, chosen, given, source, keep, number == weights.shape[1])
        ends[t] = a.tally[model.LAST_RESULT]


def tiles(plan: Plan) -> np.ndarray:
    """All (first pixel, pixels, first kernel, kernels) of a pass in order: int64 [n, 4]."""
    return np.array([(p, n, k, m) for p, n in plan.pixel_tiles for k, m in plan.kernel_tiles],
                    np.int64)


def _geometry(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    shape = plan.stage.shape
    order = column_order(shape.s, shape.stride)
    rows = [(rho + k * shape.stride, k, rho + (k + 1) * shape.stride >= shape.s)
            for rho, k in order]
    return np.array(rows, np.int64), np.array([shape.r, shape.stride, shape.wo], np.int64)


def _state(plan: Plan, which: np.ndarray, depths: Any, ratio: int | None,
           ce: bool, marks: bool = False) -> tuple[model.Array, np.ndarray]:
    order, size = _geometry(plan)
    a = model.array(plan.config, depths, ratio, marks)
    ends = np.zeros(len(which), np.int64)
    _run(a, plan.weight_masks, plan.feature_masks, order, size, which, ce, ends)
    if ends[-1] >= LONGEST:
        raise ValueError(f"{plan.stage.layer.name}: a pass must take less than 2^30 cycles")
    return a, ends


def array_run(plan: Plan, *, depths: tuple[int, int, int] | None = None, ratio: int | None = None,
              ce: bool = True, marks: bool = False) -> ArrayRun:
    """A whole pass. `depths` (0: infinite) and `ratio`: other than the configuration's.
    `marks`: the FIFOs' high-water marks too."""
    which = tiles(plan)
    a, ends = _state(plan, which, depths, ratio, ce, marks)
    cycles = int(ends[-1]) + 1
    config = plan.config
    idle = int((config.rows - which[:, 1]).sum()) * plan.groups
    read = tokens(plan.weight_masks).sum(axis=1)
    wb = sum(int(read[k:k + m].sum()) + (config.cols - m) * plan.groups for _, _, k, m in which)
    return ArrayRun(
        cycles=cycles, causes=model.causes(a, cycles), products=int(a.busy.sum()),
        steps=int(a.tally[model.STEPS]), fb_groups=int(a.tally[model.FB_GROUPS]),
        fb_tokens=int(a.tally[model.FB_TOKENS]),
        fb_tokens_alone=int(a.tally[model.SENT_TOKENS]) - idle, wb_tokens=wb, busy=a.busy,
        marks=tuple(a.marks.tolist()))


RUNS, TILES = 2, 4      # of a sample: runs of tiles that follow each other, behind one more


def sampled(plan: Plan, seed: int, *, depths: tuple[int, int, int] | None = None,
            ratio: int | None = None) -> tuple[float, float]:
    """(array cycles, half width of the 95 % interval) of a pass from eight of its tiles.

    Each is exact: what a tile adds to the time behind the one before it. All tiles are run
    if there are not many more than that.
    """
    which = tiles(plan)
    if len(which) <= RUNS * (TILES + 1) + 1:
        return float(array_run(plan, depths=depths, ratio=ratio).cycles), 0.0
    rng = np.random.default_rng(seed)
    steps, first = [], 0
    for at in rng.choice(len(which) - TILES, RUNS, replace=False):
        _, ends = _state(plan, which[at:at + TILES + 1], depths, ratio, True)
        steps += np.diff(ends).tolist()
        first = int(ends[0])
    rest = len(which) - 1
    half = 1.96 * float(np.std(steps, ddof=1)) / len(steps) ** 0.5 * rest
    return first + 1 + float(np.mean(steps)) * rest, half


def array_runs(plans: Sequence[Plan], workers: int | None = None,
               **options: Any) -> list[ArrayRun]:
    """`array_run` of each; the passes are independent, the result does not depend on `workers`."""
    def work(plan: Plan) -> int:
        return plan.weight_masks.shape[0] * plan.groups * plan.stage.pixels
    order = sorted(range(len(plans)), key=lambda n: -work(plans[n]))
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        done = dict(zip(order, pool.map(lambda n: array_run(plans[n], **options), order),
                        strict=True))
    return [done[n] for n in range(len(plans))]
