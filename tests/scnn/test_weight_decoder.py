"""The decoder of weight lines against golden."""

import pytest

from hw.scnn.config import PRESETS
from hw.scnn.weight_decoder import WeightDecoder
from sim.common.runner import SIMULATORS, simulate


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_decodes_as_golden(simulator, preset):
    cfg = PRESETS[preset]
    simulate(WeightDecoder(cfg), "sim.scnn.bench_weight_decoder", simulator=simulator, config=cfg)
