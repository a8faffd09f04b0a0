"""The multiply phase of a PE: parts of random layers at `tiny`, of real ones at `paper`."""
from dataclasses import replace

import numpy as np
import pytest

from golden.mnf.core import multiply
from golden.mnf.mapping import search
from golden.mnf.passes import passes
from golden.tensors import synthetic
from hw.mnf.config import PRESETS
from hw.mnf.core import Core
from sim.common.runner import simulate
from sparseforge.networks.tables import alexnet, vgg16
from tests.mnf.cases import random_case


def test_random_shares():
    config = PRESETS["tiny"]
    cases = [random_case(seed, config) for seed in range(12)]
    simulate(Core(config), "sim.mnf.bench_core", simulator="icarus",
             config={"config": config, "cases": cases})


@pytest.mark.regress
def test_real_layers():
    """A PE's share of AlexNet conv2, conv3 and fc7 and VGG16 conv4_2, few input channels each."""
    config, cases = PRESETS["paper"], []
    wanted = [*alexnet()[1:3], alexnet()[6], next(x for x in vgg16() if x.name == "conv4_2")]
    for layer in wanted:
        few = replace(layer, bias=False, c=min(layer.c, 8 * layer.groups), pool=None)
        tensors = synthetic(few, weight_density=0.5, activation_density=0.5, data_bits=8,
                            acc_bits=32)
        mapping = search(few, tensors.activations, config).mapping
        cases.append((few, tensors, next(iter(passes(mapping)))[-1]))
    simulate(Core(config), "sim.mnf.bench_core", simulator="verilator",
             config={"config": config, "cases": cases})


def test_a_vector_per_cycle():
    """Whatever events make, the MACs never pause: the decode hides behind three events of one."""
    for vectors in ([1] * 50, [9] * 20, [1, 5, 1, 1, 2, 7] * 10):
        times = multiply(np.zeros(len(vectors)), np.array(vectors), PRESETS["paper"])
        assert times.last[-1] == 9 + sum(vectors)
        assert (times.first[1:] == times.last[:-1] + 1).all()
