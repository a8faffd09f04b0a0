"""The activation module, without pooling."""
import random
from dataclasses import replace

import numpy as np

from golden import layers as arithmetic
from hw.mnf.activation import Activation
from hw.mnf.config import PRESETS
from sim.common.runner import simulate
from tests.mnf.cases import random_case


def case(seed, config):
    """A share of a random layer whose outputs are of all sizes, and its sums without bias."""
    rnd = random.Random(seed)
    layer, tensors, share = random_case(seed, config)
    bias = None
    if rnd.random() < 0.6:
        bias = np.random.default_rng(seed).integers(-3000, 3000, layer.k)
    sums = arithmetic.sums(layer, tensors.weights, tensors.activations)
    layer = replace(layer, bias=bias is not None, pool=None, relu=rnd.random() < 0.5,
                    multiplier=rnd.choice([1, 3, 2**20 + 7]))
    most = max(1, int(np.abs(sums).max()) * layer.multiplier)
    shift = max(0, most.bit_length() - rnd.choice([4, 7, 9]))
    return replace(layer, shift=shift), replace(tensors, bias=bias), share, sums


def test_activation():
    config = PRESETS["tiny"]
    simulate(Activation(config), "sim.mnf.bench_activation", simulator="icarus",
             config={"config": config, "cases": [case(seed, config) for seed in range(24)]})
