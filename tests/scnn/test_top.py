"""The whole accelerator: random layers on random machines, outputs, cycles, counters, errors."""

import random

import pytest

from golden.layers import Layer
from golden.scnn.compile import compile
from golden.tensors import synthetic
from hw.emit import emit
from hw.scnn.config import PRESETS
from sim.common import cover
from sim.common.design import BENCH
from tests.common.harness import STALLS, Case, random_memory
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


@pytest.mark.parametrize("preset, simulator", [
    ("tiny", "icarus"), ("tiny", "verilator"), ("small", "verilator"),
    pytest.param("small", "icarus", marks=pytest.mark.regress)])
def test_random_layers(preset, simulator):
    config = PRESETS[preset]
    given = SCNN.cases(config, 5000)
    build = SCNN.rtl.build(config, simulator)
    SCNN.check(given, SCNN.rtl.run(build, programs(given)), BENCH)


def test_cover_points_name_signals():
    """A renamed signal would leave its point out."""
    watched = cover.instrument(emit(SCNN.rtl.top(PRESETS["tiny"]), "scnn"), SCNN.rtl.points)
    assert not [point for point in SCNN.rtl.points if cover.SAID + point.name not in
                watched.verilog]


RARE = {
    # Outputs beyond the OARAM, of few inputs: chunks of channels rather than tiles.
    "output channels in chunks": (Layer(c=4, h=2, w=3, k=100, r=1, s=1, shift=1, out_bits=8), 0.8),
    # Outputs with long runs of zeros.
    "OARAM placeholders": (Layer(c=1, h=6, w=24, k=3, r=1, s=1, shift=1, out_bits=8), 0.1),
}


def test_rare_events_in_icarus():
    """What random layers seldom are."""
    config, given = PRESETS["tiny"], []
    for layer, density in RARE.values():
        tensors = synthetic(layer, weight_density=0.5, activation_density=density, seed=1,
                            data_bits=8, acc_bits=20)
        given.append(Case(1, [layer], [tensors], compile([layer], [tensors], config)))
    assert len({str(one.outputs[0]) for one in given[0].program.passes}) == 3
    SCNN.check(given, SCNN.rtl.run(SCNN.rtl.build(config, "icarus"), programs(given)), BENCH)


@pytest.mark.parametrize("preset, simulator, count", [
    ("tiny", "icarus", SEEDS // 4), ("small", "verilator", SEEDS)])
def test_random_stalls_on_every_channel(preset, simulator, count):
    config = PRESETS[preset]
    given = SCNN.cases(config, 9000, count)
    build = SCNN.rtl.build(config, simulator)
    stalls = {**STALLS, "seed": 7}
    SCNN.check(given, SCNN.rtl.run(build, programs(given), stalls=stalls), None)
