"""Real passes on the core in RTL: sums, cycles, causes and reads are golden's."""
import dataclasses

import numpy as np
import pytest

from golden.layers import Layer
from golden.s2engine.compile import compile
from golden.s2engine.timing import array_run
from golden.tensors import synthetic
from hw.s2engine.config import PRESETS, S2Config
from sim.s2engine.passes import build_core, run_pass, sums
from sparseforge.networks.network import network, synthesise

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


@pytest.fixture(scope="module")
def built():
    return build_core(CONFIG, "icarus")


@pytest.mark.parametrize("n", range(len(LAYERS)))
def test_layers(n, built):
    given = synthetic(LAYERS[n], weight_density=0.5, activation_density=0.6, data_bits=9,
                      acc_bits=32, seed=n)
    for reuse in (True, False):
        check(built, compile(LAYERS[n], given, CONFIG).passes[0], reuse)


@pytest.mark.regress
def test_alexnet_conv3_at_the_papers_size():
    """16 x 16 PEs: the first 32 kernels of AlexNet's third layer, at published densities."""
    config = PRESETS["paper"]
    entries = [e for e in network("alexnet").entries if e.layer.name == "conv3"]
    (layer, tensors), = synthesise(entries, acc_bits=config.acc_bits, data_bits=8)
    plan = compile(layer, tensors, config).passes[0]
    first = dataclasses.replace(plan, last=plan.first + 32)
    check(build_core(config, "verilator"), first)
