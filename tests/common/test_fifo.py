import pytest

from hw.common.stream.fifo import FIFO
from sim.common.runner import SIMULATORS, simulate

CONFIGS = [{"depth": 1, "width": 6}, {"depth": 2, "width": 6}, {"depth": 3, "width": 6},
           {"depth": 4, "width": 9}, {"depth": 5, "width": 1}]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bench(simulator, config):
    simulate(FIFO(config["width"], config["depth"]), "sim.common.bench_fifo",
             simulator=simulator, config=config)


def test_refusal():
    with pytest.raises(ValueError, match="depth of a FIFO must be at least 1, not 0"):
        FIFO(8, 0)
