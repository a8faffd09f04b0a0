import pytest

from hw.common.stream.arbiter import Arbiter
from sim.common.runner import SIMULATORS, simulate

CONFIGS = [{"n": 1, "width": 5}, {"n": 3, "width": 6}, {"n": 4, "width": 6}]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bench(simulator, config):
    simulate(Arbiter(config["width"], config["n"]), "sim.common.bench_arbiter",
             simulator=simulator, config=config)


def test_refusal():
    with pytest.raises(ValueError, match="an Arbiter needs at least 1 input, not 0"):
        Arbiter(8, 0)
