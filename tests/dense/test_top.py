"""The naive array as a machine: random layers, stalls, chains, faults; outputs, cycles, counters
are the model's."""

import pytest

from golden.dense.systolic import systolic_cycles
from golden.layers import Layer, Pool
from golden.tensors import synthetic
from hw.dense.config import PRESETS, NaiveConfig
from sim.common.design import BENCH
from tests.common.harness import STALLS, Case, Faults
from tests.dense.design import NAIVE, compile

TINY = PRESETS["tiny"]


def run(cases, simulator, memory, **options):
    build = NAIVE.rtl.build(TINY, simulator)
    NAIVE.check(cases, NAIVE.rtl.run(build, [c.program for c in cases], **options), memory)


def made(layers):
    tensors = [synthetic(layer, weight_density=0.6, activation_density=0.7, seed=n, data_bits=8,
                         acc_bits=30) for n, layer in enumerate(layers)]
    return Case(0, layers, tensors, compile(layers, tensors, TINY))


SMALL = [    # partial groups, tiles with idle rows and columns, a sum shorter than the row
    [Layer(c=6, h=4, w=5, k=7, r=2, s=3, pad=1, relu=True, out_bits=8, bias=True)],
    [Layer(c=2, h=3, w=3, k=11, r=1, s=1, out_bits=8)],
    [Layer(c=5, h=5, w=5, k=6, r=3, s=3, stride=2, pad=1, out_bits=8, relu=True,
           pool=Pool(kind="max", k=2, s=1)), Layer(c=6, h=2, w=2, k=5, r=2, s=2, out_bits=8)]]


def test_layers_and_a_chain():
    run([made(layers) for layers in SMALL], "icarus", BENCH)


@pytest.mark.regress
def test_random_layers():
    run(NAIVE.cases(TINY, 21000), "verilator", BENCH)


@pytest.mark.regress
def test_random_stalls_on_every_channel():
    run(NAIVE.cases(TINY, 23000), "verilator", None, stalls={**STALLS, "seed": 3})


@pytest.mark.regress
def test_faults():
    layer, = SMALL[0]
    tensors = made([layer]).tensors
    build = NAIVE.rtl.build(TINY, "verilator")
    faults = Faults(NAIVE, build, TINY, [layer], tensors, idle_within=80_000)
    assert faults.corrupted_words(40) > 10
    for at in (3, 200, 500):
        faults.stopped(at)
        faults.reset(at)
    faults.bus_error("read", faults.program.passes[0].descriptor["weight_addr"])


def test_the_array_alone_is_the_closed_form():
    """Memory aside, tile behind tile; and what all its parts cost is more."""
    for layers in SMALL[:2]:
        layer, = layers
        case = made(layers)
        report = NAIVE.cycles(case.program)
        alone, = (run.cycles for run in report.array)
        assert alone == systolic_cycles(layer, TINY.rows, TINY.cols)
        assert report.cycles > alone
        assert report.causes["multiply"] == sum(run.products for run in report.array)


@pytest.mark.parametrize("change, message", [
    ({"mixed": True}, "mixed must be false"),
    ({"group": 6}, "group must be a power of two"), ({"rows": 0}, "rows must be")])
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        NaiveConfig(**change)
