"""The activation module; pooling is `test_pool`'s."""
from hw.mnf.activation import Activation
from hw.mnf.config import PRESETS
from sim.common.runner import simulate
from tests.mnf.cases import fired_case


def test_activation():
    config = PRESETS["tiny"]
    cases = [fired_case(seed, config) for seed in range(24)]
    simulate(Activation(config), "sim.mnf.bench_activation", simulator="icarus",
             config={"config": config, "cases": cases})
