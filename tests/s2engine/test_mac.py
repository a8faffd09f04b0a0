import pytest

from hw.s2engine.mac import MAC
from sim.common.runner import simulate
from tests.s2engine.configs import CONFIGS


@pytest.mark.parametrize("simulator, name", [("icarus", "4,4,4:4"), ("icarus", "2,2,2:2"),
                                             ("icarus", "5,6,8:1"), ("verilator", "4,4,4:4")])
def test_bench(simulator, name):
    simulate(MAC(CONFIGS[name]), "sim.s2engine.bench_mac", simulator=simulator,
             config=CONFIGS[name])
