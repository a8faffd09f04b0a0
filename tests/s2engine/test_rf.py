import pytest

from hw.s2engine.rf import RF
from sim.common.runner import simulate
from tests.s2engine.configs import CONFIGS


@pytest.mark.parametrize("name", ["4,4,4:4"])
def test_bench(name):
    simulate(RF(CONFIGS[name]), "sim.s2engine.bench_rf", simulator="icarus",
             config=CONFIGS[name])
