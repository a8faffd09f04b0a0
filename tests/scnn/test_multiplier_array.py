import pytest

from hw.scnn.config import PRESETS
from hw.scnn.multiplier_array import MultiplierArray
from sim.common.runner import SIMULATORS, simulate


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_bench(simulator, preset):
    simulate(MultiplierArray(PRESETS[preset]), "sim.scnn.bench_multiplier_array",
             simulator=simulator, config=PRESETS[preset])
