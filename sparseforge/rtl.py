"""A design's RTL in the registry's terms: what `Design.simulate` has in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from golden.program import Memory
from sparseforge.errors import RunFailed, user_input
from sparseforge.registry import Cycles, Measured, Waves

LIMIT = 1 << 26         # cycles of a run: far beyond any real one; the shell's watchdog is sooner


def simulate(rtl: Any, programs: Sequence[Any], config: Any, memory: Memory, *, macs: str,
             simulator: str, seed: int = 1, waves: Waves | None = None) -> list[Measured]:
    """Runs programs on `rtl`, a `sim.common.design.DesignRTL`; `macs` names its counter of MACs.

    RunFailed if the hardware reports an error.
    """
    most = max(len(s.image) for program in programs for s in program.segments)
    wave = {"waves": window(waves)} if waves else {}
    build = rtl.build(config, simulator, **room(most, simulator), **wave)
    runs = rtl.run(build, programs, memory=memory, seed=seed, max_cycles=LIMIT, **wave)
    return [_measured(one, macs) for one in runs]


def room(most: int, simulator: str) -> dict[str, int]:
    """The build's option for images of up to `most` bytes; none where the usual memory does."""
    from sim.common.program import MEMORY_BYTES
    if most <= MEMORY_BYTES[simulator]:
        return {}
    return {"memory_bytes": 1 << (most - 1).bit_length()}


def window(waves: Waves) -> Any:
    """The request as the simulators' runner takes it."""
    from sim.common.waves import Waves as Window
    with user_input():
        return Window(Path(waves.file), waves.start, waves.stop, waves.scope)


def _measured(run: Any, macs: str) -> Measured:
    for n, (code, info) in enumerate(run.errors):
        if code:
            raise RunFailed(f"the hardware stopped with error {code}, info {info:#x}, in segment "
                            f"{n}")
    outputs: list[Any] = []
    for index in range(len(run.program.layers)):
        stored = any(one.index == index and one.stored for one in run.program.passes)
        images = run.outputs(index) if stored else None
        # A batch runs image by image, or as the plane of one layer that computes all of them.
        outputs.append(None if images is None else
                       images[0] if len(images) == 1 else np.stack(images))
    return Measured(Cycles(sum(run.cycles), sum(run.cycles), run.count(macs), run.causes,
                           run.read_beats, run.write_beats), outputs, run.wall_s)
