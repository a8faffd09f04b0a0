"""The whole accelerator: random layers on random machines, outputs, cycles, counters, errors."""

import random

import pytest

from hw.scnn.config import PRESETS
from sim.common.design import BENCH
from tests.common.harness import STALLS, random_memory
from tests.common.random_layers import SEEDS
from tests.scnn.design import SCNN
from tests.scnn.random_config import random_config


def programs(cases):
    return [case.program for case in cases]


@pytest.mark.parametrize("machine", range(4))
def test_random_machines_in_icarus(machine):
    config = random_config(random.Random(1000 + machine))
    given = SCNN.cases(config, 100 * machine, SEEDS // 4)
    build = SCNN.rtl.build(config, "icarus")
    memory = random_memory(random.Random(machine))
    SCNN.check(given, SCNN.rtl.run(build, programs(given), memory=memory), memory)


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_random_layers(simulator, preset):
    config = PRESETS[preset]
    given = SCNN.cases(config, 5000)
    build = SCNN.rtl.build(config, simulator)
    SCNN.check(given, SCNN.rtl.run(build, programs(given)), BENCH)


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_random_stalls_on_every_channel(preset):
    config = PRESETS[preset]
    given = SCNN.cases(config, 9000)
    build = SCNN.rtl.build(config, "icarus")
    stalls = {**STALLS, "seed": 7}
    SCNN.check(given, SCNN.rtl.run(build, programs(given), stalls=stalls), None)
