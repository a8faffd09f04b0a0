"""A pass through the naive array: its cycles and reads, buffers and memory aside."""

from __future__ import annotations

import numpy as np

from golden.dense.systolic import tiles_cycles
from golden.s2engine.capacity import capacity
from golden.s2engine.plan import Plan
from golden.s2engine.timing import ArrayRun


def naive_run(plan: Plan) -> ArrayRun:
    """What a pass takes in the naive array, whose tiles follow each other without a gap."""
    assert plan.term_sizes is not None
    config, terms = plan.config, int(plan.term_sizes.sum())
    down, across = len(plan.pixel_tiles), len(plan.kernel_tiles)
    _, held, _ = capacity(plan)
    done = down * across * terms * config.pes
    return ArrayRun(
        cycles=tiles_cycles(down * across, terms, config.rows, config.cols),
        causes={"multiply": done}, products=done, steps=done,
        fb_groups=plan.stage.pixels * plan.groups * across, fb_tokens=held * across,
        fb_tokens_alone=held * across, wb_tokens=config.cols * terms * down * across,
        busy=np.full((config.rows, config.cols), done // config.pes), marks=(0, 0, 0))
