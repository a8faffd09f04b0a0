import pytest

from hw.common.stream.crossbar import Crossbar
from sim.common.runner import SIMULATORS, simulate

CONFIGS = [{"inputs": n, "outputs": m, "width": w}
           for n, m, w in [(3, 2, 5), (2, 3, 5), (4, 4, 4), (1, 1, 3)]]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bench(simulator, config):
    crossbar = Crossbar(config["width"], config["inputs"], config["outputs"])
    simulate(crossbar, "sim.common.bench_crossbar", simulator=simulator, config=config)


def test_refusal():
    with pytest.raises(ValueError, match="at least 1 input and 1 output, not 2 and 0"):
        Crossbar(8, 2, 0)
