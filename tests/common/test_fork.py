import pytest

from hw.common.stream.fork import Fork
from sim.common.runner import SIMULATORS, simulate

CONFIGS = [{"n": 1, "width": 4}, {"n": 3, "width": 6}]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bench(simulator, config):
    simulate(Fork(config["width"], config["n"]), "sim.common.bench_fork",
             simulator=simulator, config=config)


def test_refusal():
    with pytest.raises(ValueError, match="a Fork needs at least 1 output, not 0"):
        Fork(8, 0)
