import pytest

from hw.common.stream.join import Join
from sim.common.runner import SIMULATORS, simulate

CONFIGS = [{"widths": (5,)}, {"widths": (8, 3, 1)}]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bench(simulator, config):
    simulate(Join(config["widths"]), "sim.common.bench_join",
             simulator=simulator, config=config)


def test_refusal():
    with pytest.raises(ValueError, match="a Join needs at least 1 input, not 0"):
        Join(())
