"""Weight sparsity: lanes with lists of their non-zero weights, the whole machine."""

from dataclasses import replace

import pytest

from golden.layers import Layer
from golden.mnf.compile import compile
from golden.mnf.passes import passes
from golden.mnf.sparse import lists
from golden.tensors import synthetic
from hw.mnf.config import PRESETS
from sim.common.design import BENCH
from tests.common.harness import STALLS, Case
from tests.mnf.design import MNF

CONFIG = replace(PRESETS["tiny"], weight_offset_bits=3, pointer_words=300)
LAYERS = [
    Layer(c=5, h=6, w=7, k=12, r=3, s=3, pad=1, relu=True, out_bits=8),
    Layer(c=4, h=9, w=5, k=9, r=4, s=3, stride=2, pad=1, out_bits=8),
    Layer(c=6, h=5, w=5, k=8, r=5, s=5, pad=2, groups=2, out_bits=8),
    Layer.fc("fc", 60, 30, out_bits=8)]


def case(n, layer, density):
    tensors = synthetic(layer, weight_density=density, activation_density=0.5, seed=n, data_bits=8,
                        acc_bits=32)
    return Case(n, [layer], [tensors], compile([layer], [tensors], CONFIG))


@pytest.mark.parametrize("stalls", [{}, pytest.param(STALLS, marks=pytest.mark.regress)])
def test_outputs(stalls):
    given = [case(n, layer, density) for n, layer in enumerate(LAYERS)
             for density in (0, 0.4, 1)]
    options = {"stalls": {**stalls, "seed": 3}} if stalls else {}
    runs = MNF.rtl.run(MNF.rtl.build(CONFIG, "icarus"), [one.program for one in given], **options)
    MNF.check(given, runs, None if stalls else BENCH)
    for one, run in zip(given, runs, strict=True):
        work = [lists(share, part.mapping.layer, one.tensors[0].weights, CONFIG)
                for part in one.program.passes for share in part.shares]
        assert run.counters["macs"] <= run.causes["compute"] * CONFIG.lanes
        # Without weights nothing is multiplied, whatever comes.
        assert (run.causes["compute"] == 0) == (sum(len(w.words) for w in work) == 0)


def test_lists_are_shorter_than_words():
    layer, config = replace(LAYERS[0], c=16, k=60), replace(CONFIG, acc_entries=300)
    for density, least in ((0.2, 0.3), (0.5, 0.5), (1, 0.9)):
        tensors = synthetic(layer, weight_density=density, activation_density=1, seed=1,
                            data_bits=8, acc_bits=32)
        program = compile([layer], [tensors], config)
        share = next(passes(program.passes[0].mapping))[0]
        found = lists(share, layer, tensors.weights, config)
        assert (found.count <= share.lanes.groups).all()
        assert found.balance > least
