import pytest

from hw.s2engine.mac import MAC
from sim.common.runner import simulate
from tests.s2engine.configs import CONFIGS


@pytest.mark.parametrize("name", ["4,4,4:4", "2,2,2:2", "5,6,8:1"])
def test_bench(name):
    simulate(MAC(CONFIGS[name]), "sim.s2engine.bench_mac", simulator="icarus",
             config=CONFIGS[name])
