import pytest

from hw.common.stream.register import Register
from sim.common.runner import SIMULATORS, simulate

CONFIGS = [{"width": 8}, {"width": 1}]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bench(simulator, config):
    simulate(Register(config["width"]), "sim.common.bench_register",
             simulator=simulator, config=config)
