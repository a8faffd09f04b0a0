import pytest

from hw.s2engine.pe import PE
from sim.common.runner import simulate
from tests.s2engine.configs import CONFIGS


@pytest.mark.parametrize("name", ["4,4,4:4", "2,2,2:2", "5,6,8:1"])
def test_bench(name):
    simulate(PE(CONFIGS[name]), "sim.s2engine.bench_pe", simulator="icarus",
             config=CONFIGS[name])
