"""Real passes on the core in RTL: sums, cycles, causes and reads are golden's."""
import numpy as np
import pytest

from golden.layers import Layer
from golden.s2engine.compile import compile
from golden.s2engine.timing import array_run
from golden.tensors import synthetic
from hw.s2engine.config import S2Config
from sim.s2engine.passes import build_core, run_pass, sums

CONFIG = S2Config(rows=4, cols=3, group=4, mixed=True, w_depth=2, f_depth=3, ratio=2,
                  fb_tokens=4096, wb_tokens=4096)
LAYERS = [
    Layer(c=5, h=4, w=5, k=4, r=3, s=3, pad=1),
    Layer(c=3, h=7, w=6, k=2, r=4, s=3, stride=2, pad=(1, 2, 0, 1)),
    Layer(c=9, h=3, w=3, k=7, r=1, s=1),
    Layer(c=2, h=9, w=9, k=3, r=2, s=5, stride=3),
    Layer(c=6, h=5, w=9, k=2, r=1, s=2, stride=4),
    Layer(c=17, h=1, w=1, k=5, r=1, s=1),
]


def check(built, plan, reuse=True):
    """A pass in RTL against golden; the cycles."""
    got = run_pass(built, plan, reuse)
    model = array_run(plan, ce=reuse)
    assert np.array_equal(got.sums, sums(plan))
    assert got.cycles == model.cycles
    assert got.causes == list(model.causes.values())
    assert got.reads == model.fb_groups
    return got.cycles


@pytest.mark.parametrize("simulator", ["icarus"])
def test_layers(simulator):
    built = build_core(CONFIG, simulator)
    for n, layer in enumerate(LAYERS):
        given = synthetic(layer, weight_density=0.5, activation_density=0.6, data_bits=9,
                          acc_bits=32, seed=n)
        for reuse in (True, False):
            check(built, compile(layer, given, CONFIG).passes[0], reuse)
