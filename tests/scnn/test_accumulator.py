import pytest

from hw.scnn.accumulator import Accumulators
from hw.scnn.config import PRESETS
from sim.common.runner import SIMULATORS, simulate


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_bench(simulator, preset):
    simulate(Accumulators(PRESETS[preset]), "sim.scnn.bench_accumulator", simulator=simulator,
             config=PRESETS[preset])
