"""A whole PE: passes that drain while the next one multiplies, passes over parts of the inputs."""
from dataclasses import replace

from hw.mnf.config import PRESETS
from hw.mnf.pe import PE
from sim.common.runner import simulate
from tests.mnf.cases import fired_case


def test_pe():
    config = replace(PRESETS["tiny"], weight_words=160)     # input channels often in parts
    cases = [fired_case(seed, config) for seed in range(8)]
    cases.insert(3, fired_case(1, config, parts=True))
    simulate(PE(config), "sim.mnf.bench_pe", simulator="icarus",
             config={"config": config, "cases": cases})
