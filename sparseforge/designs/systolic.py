"""The naive systolic array's place in the registry: S² Engine's baseline as a machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from golden.program import Memory
from hw.common.stationary.config import StationaryConfig
from hw.dense.config import PRESETS, NaiveConfig
from sparseforge.designs.s2engine import S2Engine
from sparseforge.registry import Measured, Waves
from sparseforge.rtl import simulate


class Systolic(S2Engine):
    """See `sparseforge.registry.Design`. Compiled and timed as S² Engine, every channel a token."""

    name = "systolic"
    title = "The naive systolic array: every product, zeros too, in S² Engine's machine"
    paper = "Yang et al., S² Engine, Fig. 1"

    def alone(self) -> Any:
        raise ValueError("systolic: array_cycles stand beside its cycles; leave --array out")

    def presets(self) -> Mapping[str, NaiveConfig]:
        return PRESETS

    def top(self, config: Any) -> Any:
        from hw.dense.top import Systolic as Top
        return Top(config)

    def simulate(self, programs: Sequence[Any], config: StationaryConfig, memory: Memory, *,
                 simulator: str, seed: int = 1, waves: Waves | None = None) -> list[Measured]:
        from sim.dense.run import RTL
        return simulate(RTL, programs, config, memory, macs="multiply", simulator=simulator,
                        seed=seed, waves=waves)

    def reproduce(self, console: Any, folder: Path | None, only: str | None) -> dict[str, Any]:
        raise ValueError("systolic: its figures are those of reproduce s2engine, its baseline")


DESIGN = Systolic()
