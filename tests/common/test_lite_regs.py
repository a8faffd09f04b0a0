import pytest

from sim.common.runner import SIMULATORS, simulate
from tests.common.lite_map import CONFIG, lite_regs


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_bench(simulator):
    simulate(lite_regs(), "sim.common.bench_lite_regs", simulator=simulator, config=CONFIG)
