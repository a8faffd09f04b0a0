import pytest

from hw.s2engine.rf import RF
from sim.common.runner import simulate
from tests.s2engine.configs import CONFIGS


@pytest.mark.parametrize("simulator, name", [("icarus", "4,4,4:4"), ("verilator", "2,2,2:2")])
def test_bench(simulator, name):
    simulate(RF(CONFIGS[name]), "sim.s2engine.bench_rf", simulator=simulator,
             config=CONFIGS[name])
