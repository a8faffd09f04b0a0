"""Lists of layers on the whole accelerator: what one stores, in ECOO, the next one loads."""

import random

import numpy as np
import pytest

from golden.layers import Layer, Pool
from golden.s2engine import compile as work
from golden.s2engine.image import program
from golden.tensors import synthetic
from hw.s2engine.config import PRESETS
from sim.common.design import BENCH
from sparseforge.networks.network import digits_chain, network
from tests.common.harness import Case, same
from tests.s2engine.design import S2, compile

TINY = PRESETS["tiny"]


@pytest.fixture(scope="module")
def build():
    return S2.rtl.build(TINY, "verilator")


def checked(build, layers, tensors, config=TINY, **options):
    """Outputs, cycles, counters of a program of these layers; how many segments it has."""
    case = Case(0, layers, tensors, compile(layers, tensors, config, **options))
    S2.check([case], S2.rtl.run(build, [case.program]), BENCH)
    return len(case.program.segments)


def chain(*layers, bits=8):
    """Layers and tensors; each takes the outputs of the one before."""
    return list(layers), [synthetic(layer, weight_density=0.5, activation_density=0.6, seed=n,
                                    data_bits=bits, acc_bits=30)
                          for n, layer in enumerate(layers)]


def test_three_layers_in_one_program(build):
    """Padding, pooling, a partial group, an FC layer over a plane: one list of descriptors."""
    layers, tensors = chain(
        Layer(name="a", c=5, h=8, w=7, k=20, r=3, s=3, pad=1, relu=True, out_bits=8, bias=True,
              pool=Pool(kind="max", k=2, s=2)),
        Layer(name="b", c=20, h=4, w=3, k=9, r=3, s=2, pad=(1, 1, 1, 0), relu=True, out_bits=12),
        Layer.fc("c", 9 * 4 * 3, 10, out_bits=16))
    assert checked(build, layers, tensors) == 1


def test_a_stride_begins_another_segment(build):
    layers, tensors = chain(
        Layer(name="a", c=3, h=7, w=7, k=6, r=3, s=3, pad=1, relu=True, out_bits=8),
        Layer(name="b", c=6, h=7, w=7, k=5, r=3, s=3, stride=2, out_bits=8))
    assert checked(build, layers, tensors) == 2


@pytest.mark.parametrize("seed", range(4))
def test_random_chains(build, seed):
    rnd = random.Random(seed)
    layers, c, h, w = [], rnd.randint(1, 20), rnd.randint(3, 8), rnd.randint(3, 8)
    for n in range(3):
        r, s = rnd.choice([1, 2, 3]), rnd.choice([1, 2, 3])
        layers.append(Layer(name=f"l{n}", c=c, h=h, w=w, k=rnd.randint(1, 20), r=r, s=s,
                            pad=(r // 2, r - 1 - r // 2, s // 2, s - 1 - s // 2), relu=True,
                            out_bits=rnd.choice([8, 8, 12]),
                            pool=Pool(kind=rnd.choice(["max", "avg"]), k=2, s=1)
                            if rnd.random() < 0.4 else None))
        c, h, w = layers[-1].k, layers[-1].out_h, layers[-1].out_w
    assert checked(build, *chain(*layers)) == 1


def test_without_ce(build):
    """The same outputs; every group comes from FB."""
    layers, tensors = chain(Layer(c=20, h=6, w=6, k=6, r=3, s=3, pad=1, out_bits=8))
    checked(build, layers, tensors, ce=False)
    counts = [S2.cycles(compile(layers, tensors, TINY, ce=ce)).counters["fb_groups"]
              for ce in (True, False)]
    assert counts[0] < 0.75 * counts[1]


@pytest.mark.parametrize("share", [0, 0.035, 0.05, 0.5, 1])
def test_mixed_precision(build, share):
    """A share of the values, weights and features alike, has 16 bits."""
    layer = Layer(c=10, h=5, w=5, k=5, r=3, s=3, pad=1, out_bits=16)
    rng = np.random.default_rng(1)
    narrow, wide = (synthetic(layer, weight_density=0.4, activation_density=0.5, seed=1,
                              data_bits=bits, acc_bits=32) for bits in (8, 16))

    def mixed(a, b):
        return np.where(rng.random(a.shape) < share, b, a)
    given = narrow.__class__(mixed(narrow.weights, wide.weights),
                             mixed(narrow.activations, wide.activations), None)
    checked(build, [layer], [given])


def test_dense_groups_of_16_bits_fill_the_ces(build):
    """Each CE holds a group, twice as many tokens as channels, and waits with the next one."""
    layer = Layer(c=6, h=4, w=8, k=5, r=3, s=3, pad=1, out_bits=16)
    given = synthetic(layer, weight_density=0.3, activation_density=1, seed=2, data_bits=9,
                      acc_bits=32)
    wide = 1000 + np.arange(given.activations.size).reshape(given.activations.shape)
    checked(build, [layer], [given.__class__(given.weights, wide, None)])


def test_digits_end_to_end(build):
    """The trained network on held-out images: each layer's outputs are those of golden."""
    pairs = list(digits_chain(network("digits").entries, acc_bits=TINY.acc_bits))
    layers, tensors = [p[0] for p in pairs], [p[1] for p in pairs]
    made = program(work.compile(layers, tensors, TINY))
    run, = S2.rtl.run(build, [made])
    for index, expected in enumerate(S2.golden(layers, tensors, TINY)):
        assert same(run.outputs(index), expected.outputs)
    report = S2.cycles(made)
    assert run.cycles == report.segment_cycles
    assert run.causes == report.causes and run.counters == report.counters
