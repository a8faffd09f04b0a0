import pytest

from hw.s2engine.pe import PE
from sim.common.runner import simulate
from tests.s2engine.configs import CONFIGS


@pytest.mark.parametrize("simulator, name", [("icarus", "4,4,4:4"), ("icarus", "2,2,2:2"),
                                             ("icarus", "5,6,8:1"), ("verilator", "4,4,4:4")])
def test_bench(simulator, name):
    simulate(PE(CONFIGS[name]), "sim.s2engine.bench_pe", simulator=simulator,
             config=CONFIGS[name])
