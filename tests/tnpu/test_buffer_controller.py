import pytest

from hw.tnpu.buffer_controller import BufferController
from hw.tnpu.config import PRESETS
from sim.common.runner import SIMULATORS, simulate


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("unit", ["c", "f"])
def test_bench(simulator, unit):
    config = PRESETS["tiny"]
    simulate(BufferController(config, unit), "sim.tnpu.bench_buffer_controller",
             simulator=simulator, config=(config, unit))
