"""The whole accelerator: random layers on small machines, outputs, cycles, counters."""

import random

import pytest

from hw.emit import emit
from hw.s2engine.config import PRESETS
from sim.common import cover
from sim.common.design import BENCH
from tests.common.harness import STALLS, random_memory
from tests.s2engine.design import S2, short


def programs(cases):
    return [case.program for case in cases]


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_random_layers(preset):
    config = PRESETS[preset]
    given = S2.cases(config, 5000)
    build = S2.rtl.build(config, "verilator")
    S2.check(given, S2.rtl.run(build, programs(given)), BENCH)


@pytest.mark.parametrize("preset", ["tiny", "least"])
def test_short_layers_in_icarus(preset):
    """The other simulator: layers of a few hundred cycles, unknown values and all."""
    config = PRESETS[preset]
    given = short(S2.cases(config, 7000, 40), 1500)[:4]
    build = S2.rtl.build(config, "icarus")
    S2.check(given, S2.rtl.run(build, programs(given)), BENCH)


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_random_stalls_on_every_channel(preset):
    config = PRESETS[preset]
    given = S2.cases(config, 9000)
    build = S2.rtl.build(config, "verilator")
    stalls = {**STALLS, "seed": 7}
    S2.check(given, S2.rtl.run(build, programs(given), stalls=stalls), None)


@pytest.mark.parametrize("seed", range(3))
def test_random_memories(seed):
    config = PRESETS["tiny"]
    given = S2.cases(config, 11000 + 1000 * seed, 6)
    build = S2.rtl.build(config, "verilator")
    memory = random_memory(random.Random(seed))
    S2.check(given, S2.rtl.run(build, programs(given), memory=memory), memory)


def test_cover_points_name_signals():
    """A renamed signal would leave its point out."""
    watched = cover.instrument(emit(S2.rtl.top(PRESETS["tiny"]), "s2engine"), S2.rtl.points)
    assert not [point for point in S2.rtl.points if cover.SAID + point.name not in
                watched.verilog]
