import pytest

from hw.scnn.config import PRESETS
from hw.scnn.weight_fifo import WeightFIFO
from sim.common.runner import SIMULATORS, simulate


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_bench(simulator, preset):
    simulate(WeightFIFO(PRESETS[preset]), "sim.scnn.bench_weight_fifo", simulator=simulator,
             config=PRESETS[preset])
