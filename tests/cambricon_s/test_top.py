"""Random layers on the Top: outputs, cycles and counters are golden's and the model's."""

import random
from dataclasses import replace

import pytest

from golden.layers import Layer, Pool
from golden.program import Memory
from golden.tensors import synthetic
from hw.cambricon_s.config import PRESETS
from hw.emit import emit
from sim.common import cover
from sim.common.design import BENCH
from tests.cambricon_s.design import CAMBRICON
from tests.common.harness import STALLS, Case, random_memory
from tests.common.random_layers import SEEDS

APART = replace(PRESETS["small"], tm=2, shared_index=False)
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


RARE = {
    # More inputs than a side of NBin holds.
    "channels in chunks": Layer.fc("fc", 150, 4, shift=6, out_bits=8),
    # Hardly anything to multiply, a division for every output: NBout's sides are full.
    "stall: nbout": Layer(c=1, h=6, w=9, k=3, r=1, s=1, shift=3, out_bits=8,
                          pool=Pool(kind="avg", k=1, s=1)),
}


def rare(seed, layer, config):
    tensors = synthetic(layer, weight_density=0.5, activation_density=0.7, seed=seed,
                        data_bits=8, acc_bits=20)
    return Case(seed, [layer], [tensors], CAMBRICON.compile([layer], [tensors], config))


def test_rare_events_in_icarus():
    """What random layers seldom are."""
    config = PRESETS["tiny"]
    given = [rare(seed, layer, config) for seed, layer in enumerate(RARE.values())]
    run(given, CAMBRICON.rtl.build(config, "icarus"), Memory(latency=1))


def test_cover_points_name_signals():
    """A renamed signal would leave its point out."""
    tops = [emit(CAMBRICON.rtl.top(config), "cambricon_s") for config in (PRESETS["tiny"], APART)]
    watched = "".join(cover.instrument(top, CAMBRICON.rtl.points).verilog for top in tops)
    assert not [point for point in CAMBRICON.rtl.points if cover.SAID + point.name not in watched]


def test_an_index_per_pe_in_icarus():
    """Tm selectors that run apart and meet at the end of each segment."""
    uneven = rare(1, Layer.fc("fc", 100, 4, shift=6, out_bits=8), APART)
    run([uneven, *short(APART, 40, SEEDS // 4)], CAMBRICON.rtl.build(APART, "icarus"))


@pytest.mark.regress
@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_more_random_layers_in_icarus(preset):
    config = PRESETS[preset]
    cases, build = short(config, 100, 20), CAMBRICON.rtl.build(config, "icarus")
    run(cases, build)
    run(cases, build, stalls={**STALLS, "seed": 3})


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_random_layers_in_verilator(preset):
    config = PRESETS[preset]
    cases, build = CAMBRICON.cases(config, 5000), CAMBRICON.rtl.build(config, "verilator")
    run(cases, build)
    run(cases[::2], build, memory=random_memory(random.Random(4)))
    run(cases[1::2], build, stalls={**STALLS, "seed": 7})
