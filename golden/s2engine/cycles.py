"""The performance model of S² Engine's array: a program's cycles and counters, exact.

Cycles are those of the DS clock, in the array: from a pass's first token in to its last result
out, buffers and memory aside, pass after pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from golden.s2engine.array import CAUSES
from golden.s2engine.compile import Work
from golden.s2engine.masks import tokens
from golden.s2engine.plan import Plan
from golden.s2engine.timing import ArrayRun, array_runs


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a program takes in the array."""

    work: Work
    runs: tuple[ArrayRun, ...]      # by pass

    def of(self, index: int | None = None) -> dict[str, Any]:
        """Figures of one layer, or of all: plain values."""
        mine = [(p, r) for p, r in zip(self.work.passes, self.runs, strict=True)
                if index in (None, p.stage.index)]
        config = self.work.config
        cycles = sum(r.cycles for _, r in mine)
        slots = config.pes * cycles
        steps, products = sum(r.steps for _, r in mine), sum(r.products for _, r in mine)
        fb = {name: sum(getattr(r, name) for _, r in mine)
              for name in ("fb_tokens", "fb_tokens_alone", "fb_groups", "wb_tokens")}
        held = [capacity(p) for p, _ in mine]
        feature, weight = config.feature_bits, config.weight_bits
        reads, alone = (fb[name] * feature + fb["wb_tokens"] * weight
                        for name in ("fb_tokens", "fb_tokens_alone"))
        kept, kept_alone = (sum(h[n] for h in held) * feature + sum(h[2] for h in held) * weight
                            for n in (0, 1))
        return {
            "array_cycles": cycles, "mac_cycles": -(-cycles // config.ratio),
            "causes": {name: sum(r.causes[name] for _, r in mine) for name in CAUSES},
            "macs_done": products, "ds_steps": steps,
            "mac_busy": products * config.ratio / slots, "ds_busy": steps / slots,
            **fb, "buffer_read_bits": reads, "buffer_read_bits_without_ce": alone,
            "buffer_bits": kept, "buffer_bits_without_ce": kept_alone,
            "fifo_marks": [max(r.marks[n] for _, r in mine) for n in range(3)],
            "idle_share": idle_share([p for p, _ in mine]),
        }


def capacity(plan: Plan) -> tuple[int, int, int]:
    """Tokens of FB, of FB without CE, and of WB that hold a whole pass."""
    tiles = range(len(plan.pixel_tiles))
    with_ce, alone = (sum(int(plan.row_tokens(t, ce).sum()) for t in tiles)
                      for ce in (True, False))
    return with_ce, alone, int(tokens(plan.weight_masks).sum())


def idle_share(plans: list[Plan]) -> float:
    """Share of rows × columns without a pixel or kernel, over all tiles."""
    config = plans[0].config
    whole = sum(len(p.pixel_tiles) * len(p.kernel_tiles) * config.pes * p.groups for p in plans)
    used = sum(p.stage.pixels * (p.last - p.first) * p.groups for p in plans)
    return 1 - used / whole


def cycles(work: Work, workers: int | None = None) -> Report:
    """What `work` takes in the array; the result does not depend on `workers`."""
    return Report(work=work, runs=tuple(array_runs(work.passes, workers, marks=True)))

