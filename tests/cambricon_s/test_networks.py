"""Whole pruned networks, and real layers at the paper's size, on the RTL against golden."""

import numpy as np
import pytest

from golden import outputs
from golden.cambricon_s.compile import compile
from golden.tensors import Tensors, synthetic
from hw.cambricon_s.config import PRESETS
from sim.common.design import BENCH
from sparseforge.networks import digits, network
from sparseforge.pruning.stored import shipped
from sparseforge.reproduce.cambricon_s_runs import cut_for, drawn
from tests.cambricon_s.design import CAMBRICON
from tests.common.harness import Case

PAPER = PRESETS["paper"]


@pytest.fixture(scope="module")
def paper():
    return CAMBRICON.rtl.build(PAPER, "verilator")


def network_case(name, config, number):
    """A shipped network on a held-out digit, as one program; the digit's label."""
    stored, _ = shipped(name)
    images, labels = digits.images()
    tensors = [Tensors(one.weights, np.zeros(one.layer.activations_shape, np.int64), one.bias)
               for one in stored]
    pixels = np.rint(images[number]).astype(np.int64)
    tensors[0].activations[:] = pixels.reshape(tensors[0].activations.shape)
    layers = [one.layer for one in stored]
    program = compile(layers, tensors, config, cuts=[one.cut for one in stored])
    return Case(number, layers, tensors, program), labels[number]


def check_digits(build, config, name, count):
    cases, labels = zip(*(network_case(name, config, n) for n in range(count)), strict=True)
    runs = CAMBRICON.rtl.run(build, [one.program for one in cases])
    CAMBRICON.check(cases, runs, BENCH)
    right = sum(int(np.argmax(run.outputs()[0]) == label)
                for run, label in zip(runs, labels, strict=True))
    assert right >= count - 1


@pytest.mark.regress
@pytest.mark.parametrize("name", ["digits", "digits-mlp"])
def test_pruned_networks(name):
    """Trained, pruned in blocks, locally quantised: every layer out of the one before."""
    config = PRESETS["small"]
    check_digits(CAMBRICON.rtl.build(config, "verilator"), config, name, 3)


def real(name, wanted):
    entry, = [e for e in network(name).entries if e.layer.name == wanted]
    return entry.layer, entry.densities


def check_layer(build, layer, tensors, cuts=None):
    """Outputs, cycles, counters (index and synapse beats among them) are the models'."""
    result, = outputs.outputs([layer], [tensors], PAPER.acc_bits)
    case = Case(0, [result.layer], [tensors],
                compile([result.layer], [tensors], PAPER, known=[result.outputs], cuts=cuts))
    run, = CAMBRICON.rtl.run(build, [case.program], max_cycles=1 << 24)
    CAMBRICON.check([case], [run], BENCH)
    print(f"{layer.name}: {sum(run.cycles)} cycles, {run.counters}, {run.wall_s:.1f} s")


@pytest.mark.regress
@pytest.mark.parametrize(("name", "layer"), [("alexnet", "conv3"), ("alexnet", "fc7"),
                                             ("vgg16", "conv4_1")])
def test_real_layers_in_blocks(paper, name, layer):
    """Coarse-grained synthetic tensors; 8-bit and 4-bit codebooks, several sub-matrices."""
    layer, densities = real(name, layer)
    tensors = drawn(layer, densities.weights, densities.activations)
    check_layer(paper, layer, tensors, [cut_for(layer)])


@pytest.mark.regress
def test_a_dense_layer_of_16_bits(paper):
    layer, _ = real("alexnet", "fc8")
    check_layer(paper, layer, synthetic(layer, weight_density=1.0, activation_density=1.0, seed=1,
                                        data_bits=16, acc_bits=48))


@pytest.mark.regress
@pytest.mark.parametrize("name", ["digits", "digits-mlp"])
def test_pruned_networks_at_the_papers_size(paper, name):
    check_digits(paper, PAPER, name, 10)
