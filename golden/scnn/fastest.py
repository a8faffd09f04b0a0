"""kc = "auto": the Kc that the cycle model finds fastest.

The kc with which the layer was planned (the paper's, or less) is run by the model. Of the others a
lower bound of the cycles is known, sharpened in two steps, always for the one with the least:

1. the vectors of the PE with the most in each group, from counts of non-zeros;
2. the cycle model without bank conflicts;

then by the model itself, until no bound is below the best cycles found, or `RUNS` have been run
(kc whose bounds lie within the few per cent that conflicts cost are as good as each other).
Of the kc that give as many groups only the smallest is tried: the last group of a larger one is
emptier. Sections are taken to begin at address 0 against the bench's default memory; in the image,
bursts may be cut elsewhere, which makes a few cycles.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from golden.scnn.layer import Memory, run_pass
from golden.scnn.plan import Plan
from golden.scnn.program import LayerPass
from hw.scnn.config import SCNNConfig

RUNS = 4                # of the model, the first one included
BARRIER = 3             # cycles from the last PE's `done` to the next group's first issue
Make = Callable[[Plan, LayerPass | None], LayerPass]


def fastest(plans: Sequence[Plan], config: SCNNConfig, make: Make) -> int:
    """The kc with which `plans` (tiles of one layer, whole channels in each PE) take the least.

    `make` gives a plan's pass for the model; it may take what does not depend on kc from another.
    """
    search = _Search(plans, config, make)
    best, kc = search.run(search.planned, ideal=False), search.planned
    queue = [(search.counted(kc), kc, False) for kc in _candidates(plans, config)]
    heapq.heapify(queue)
    left = RUNS - 1
    while queue and left and queue[0][0] < best:
        bound, candidate, close = heapq.heappop(queue)
        if not search.fits(candidate):
            continue
        cycles = search.run(candidate, ideal=not close)
        if close:
            left -= 1
            best, kc = min((best, kc), (cycles, candidate))
        else:
            heapq.heappush(queue, (max(bound, cycles), candidate, True))
    return kc


def _candidates(plans: Sequence[Plan], config: SCNNConfig) -> list[int]:
    """The smallest kc of each number of groups, but for the planned one."""
    outputs = plans[0].last - plans[0].first
    most = min(config.max_kc, outputs,
               *(config.acc_depth // (p.rows.window * p.cols.window) for p in plans))
    smallest = {-(-outputs // kc): kc for kc in range(most, 0, -1)}
    return [kc for kc in smallest.values() if kc != plans[0].kc]


class _Search:
    """Cycles of some plans by kc, and bounds of them."""

    def __init__(self, plans: Sequence[Plan], config: SCNNConfig, make: Make) -> None:
        self.plans, self.config, self.make, self.planned = plans, config, make, plans[0].kc
        self.passes = {self.planned: [make(plan, None) for plan in plans]}
        taps = plans[0].stage.taps.of(plans[0].first, plans[0].last)
        count = np.bincount(taps.k * taps.channels + taps.channel,
                            minlength=taps.outputs * taps.channels)
        self.weights = count.reshape(taps.outputs, taps.channels)
        self.rows = [one.inputs.count.T.astype(np.float64) for one in self.passes[self.planned]]
        self.before = 0         # cycles until the first groups begin

    def counted(self, kc: int) -> float:
        """Loads, and per group the vectors of the PE with the most, or all lines of weights."""
        config = self.config
        groups = np.add.reduceat(self.weights, np.arange(0, len(self.weights), kc), axis=0)
        slots = -(-groups // config.mults_f)
        bias = -(-kc // config.biases_per_slot)
        each = len(slots) * (bias + BARRIER)
        beats = (int(slots.sum()) + len(slots) * bias) // config.weight_bus * config.line_beats
        return self.before + sum(max(float((slots @ rows).max(axis=1).sum()) + each, beats)
                                 for rows in self.rows)

    def fits(self, kc: int) -> bool:
        """Every block fits into the weight FIFO."""
        first = self.plans[0]
        blocks = first.stage.blocks(first.first, first.last, kc, self.config)
        return blocks.largest <= self.config.fifo_entries

    def run(self, kc: int, ideal: bool) -> int:
        """Cycles by the model; `ideal`: without bank conflicts."""
        if kc not in self.passes:
            self.passes[kc] = [self.make(replace(plan, kc=kc), like) for plan, like in
                               zip(self.plans, self.passes[self.planned], strict=True)]
        reports = [run_pass(one, 0, self.config, Memory(), ideal=ideal) for one in self.passes[kc]]
        if kc == self.planned:
            self.before = sum(report.first_run for report in reports)
        return sum(report.cycles for report in reports)
