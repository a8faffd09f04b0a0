import pytest

from hw.scnn.activation_ram import ActivationRAM
from hw.scnn.config import PRESETS
from sim.common.runner import SIMULATORS, simulate


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_bench(simulator, preset):
    simulate(ActivationRAM(PRESETS[preset]), "sim.scnn.bench_activation_ram", simulator=simulator,
             config=PRESETS[preset])
