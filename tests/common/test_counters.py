import pytest

from hw.common.counters import CauseCounters
from sim.common.runner import SIMULATORS, simulate

CONFIGS = [{"sources": n, "causes": c, "width": w} for n, c, w in [(5, 3, 8), (1, 2, 3), (4, 9, 6)]]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bench(simulator, config):
    simulate(CauseCounters(**config), "sim.common.bench_counters", simulator=simulator,
             config=config)


def test_refusal():
    with pytest.raises(ValueError, match="causes of CauseCounters must be at least 1, not 0"):
        CauseCounters(3, 0, 8)
