"""What passes ask of the machine, whatever it takes them: buffers, multiplications, idle PEs."""

from __future__ import annotations

from collections.abc import Sequence

from golden.layers import effectual_macs
from golden.s2engine.masks import tokens
from golden.s2engine.plan import Plan


def must_macs(plans: Sequence[Plan]) -> int:
    """Multiplications of two operands that are not zero, over the layers of these passes."""
    stages = {id(plan.stage): plan.stage for plan in plans}.values()
    return sum(effectual_macs(stage.shape, stage.weights, plane)
               for stage in stages for plane in stage.inputs)


def capacity(plan: Plan) -> tuple[int, int, int]:
    """Tokens of FB, of FB without CE, and of WB that hold a whole pass."""
    tiles = range(len(plan.pixel_tiles))
    with_ce, alone = (sum(int(plan.row_tokens(t, ce).sum()) for t in tiles)
                      for ce in (True, False))
    return with_ce, alone, int(tokens(plan.weight_masks).sum())


def idle_share(plans: Sequence[Plan]) -> float:
    """Share of rows × columns without a pixel or kernel, over all tiles."""
    config = plans[0].config
    whole = sum(len(p.pixel_tiles) * len(p.kernel_tiles) * config.pes * p.groups for p in plans)
    used = sum(p.stage.pixels * (p.last - p.first) * p.groups for p in plans)
    return 1 - used / whole
