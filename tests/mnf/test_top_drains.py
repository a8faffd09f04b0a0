"""What random layers are too short for: drains beside and before passes, everything dealt in
passes, ports that spill side by side. Mappings are given, not found."""

from dataclasses import replace

from golden.layers import Layer, Pool
from golden.mnf.mapping import mappings
from golden.tensors import synthetic
from hw.mnf.config import PRESETS
from sim.common.design import BENCH
from tests.common.harness import Case
from tests.mnf.design import MNF, compile
from tests.mnf.test_top import sane

# Four nodes, two ports; FIFOs of different depths, of which the model must know each.
CONFIG = replace(PRESETS["tiny"], mesh_cols=2, mesh_rows=2, ports=2, acc_entries=240,
                 weight_words=60, event_fifo=3)
# A drain works through 300 sums of a PE, while the next pass's vectors come one in each cycle.
TALL = Layer(c=1, h=36, w=10, k=5, r=3, s=3, pad=1, relu=True, out_bits=8)
CASES = {
    "drains beside the next band": (
        TALL, lambda m: m.sides == 2 and m.band_ways == 3 and m.band_passes == 2
        and m.lanes.used == 5),
    "events wait for the drain": (
        TALL, lambda m: m.sides == 1 and m.band_ways == 3 and m.band_passes == 2
        and m.lanes.used == 5),
    "input channels in passes": (
        Layer(c=18, h=4, w=4, k=4, r=2, s=2, out_bits=8, bias=True),
        lambda m: m.load_passes > 1 and m.channel_ways > 1),
    "output channels in passes, windows overlap": (
        Layer(c=3, h=9, w=7, k=30, r=3, s=2, out_bits=8, pool=Pool(kind="max", k=3, s=2)),
        lambda m: m.channel_passes > 1),
    "groups side by side": (
        Layer(c=4, h=7, w=6, k=6, r=3, s=3, groups=2, pad=1, out_bits=8),
        lambda m: m.group_ways == 2),
}


def given(name):
    layer, rule = CASES[name]
    tensors = synthetic(layer, weight_density=0.7, activation_density=0.9, seed=2, data_bits=8,
                        acc_bits=28, signed_activations=True)
    found = next(m for m in mappings(layer, CONFIG) if rule(m))
    return Case(0, [layer], [tensors], compile([layer], [tensors], CONFIG, mappings=[found]))


def test_long_drains_and_passes():
    cases = [given(name) for name in CASES]
    runs = MNF.rtl.run(MNF.rtl.build(CONFIG, "verilator"), [case.program for case in cases])
    MNF.check(cases, runs, BENCH)
    for run in runs:
        sane(run)


