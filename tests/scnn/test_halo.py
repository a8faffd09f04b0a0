"""Halo exchange against golden."""

import pytest

from hw.scnn.config import PRESETS
from sim.common.runner import SIMULATORS, simulate
from sim.scnn.halo_grid import HaloGrid


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("grid", [(2, 3), (1, 1)])
def test_exchanges_as_golden(simulator, grid):
    cfg = PRESETS["tiny"]
    simulate(HaloGrid(cfg, *grid), "sim.scnn.bench_halo", simulator=simulator, config=(cfg, grid))
