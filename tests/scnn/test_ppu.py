"""The post-processing unit against golden."""

import pytest

from hw.scnn.config import PRESETS
from hw.scnn.ppu import PPU
from sim.common.runner import SIMULATORS, simulate


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_drains_as_golden(simulator, preset):
    cfg = PRESETS[preset]
    simulate(PPU(cfg), "sim.scnn.bench_ppu", simulator=simulator, config=cfg)
