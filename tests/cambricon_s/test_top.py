"""Random layers on the Top: outputs, cycles and counters are golden's and the model's."""

import random
from dataclasses import replace

import pytest

from hw.cambricon_s.config import PRESETS
from sim.common.design import BENCH
from tests.cambricon_s.design import CAMBRICON
from tests.common.harness import STALLS, random_memory
from tests.common.random_layers import SEEDS

SHORT = 400         # instructions of a layer, so that Icarus is done within seconds


def run(cases, build, memory=BENCH, **options):
    given = [one.program for one in cases]
    runs = CAMBRICON.rtl.run(build, given, memory=memory, **options)
    CAMBRICON.check(cases, runs, None if options else memory)


def short(config, first, count):
    """The shorter ones of the cases."""
    cases = [one for one in CAMBRICON.cases(config, first, 2 * count)
             if one.program.passes[0].words <= SHORT]
    return cases[:count]


def test_random_layers_in_icarus():
    config = PRESETS["tiny"]
    run(short(config, 0, SEEDS // 2), CAMBRICON.rtl.build(config, "icarus"))


def test_an_index_per_pe_in_icarus():
    """Tm selectors that run apart and meet at the end of each segment."""
    config = replace(PRESETS["small"], tm=2, shared_index=False)
    run(short(config, 40, SEEDS // 4), CAMBRICON.rtl.build(config, "icarus"))


@pytest.mark.regress
@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_more_random_layers_in_icarus(preset):
    config = PRESETS[preset]
    cases, build = short(config, 100, 20), CAMBRICON.rtl.build(config, "icarus")
    run(cases, build)
    run(cases, build, stalls={**STALLS, "seed": 3})


@pytest.mark.regress
@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_random_layers_in_verilator(preset):
    config = PRESETS[preset]
    cases, build = CAMBRICON.cases(config, 5000), CAMBRICON.rtl.build(config, "verilator")
    run(cases, build)
    run(cases[::2], build, memory=random_memory(random.Random(4)))
    run(cases[1::2], build, stalls={**STALLS, "seed": 7})
