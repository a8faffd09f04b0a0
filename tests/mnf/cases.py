"""Random shares of a PE for the tests of its blocks."""
import math
import random
from dataclasses import replace

import numpy as np

from golden import layers as arithmetic
from golden.layers import Layer
from golden.mnf.mapping import mappings
from golden.mnf.passes import passes
from tests.common.random_layers import random_layer, random_tensors, with_pool


def random_shares(seed, config, parts=False):
    """A layer, tensors and what a PE does for some of its sums: one share, or in `parts` of the
    input channels several."""
    rnd = random.Random(seed)
    while True:
        layer = replace(random_layer(rnd), batch=1, product_shift=0, bias=False, pool=None)
        ways = [m for m in mappings(layer, config) if (m.load_passes > 1) == parts]
        if ways:
            break
    every = list(passes(rnd.choice(ways)))
    fires = rnd.choice([n for n, shares in enumerate(every) if shares and shares[0].fires])
    own = rnd.randrange(len(every[fires]))
    first = fires
    while first and every[first - 1] and not every[first - 1][0].fires:
        first -= 1
    return (layer, random_tensors(np.random.default_rng(seed), layer),
            [shares[own] for shares in every[first:fires + 1]])


def random_case(seed, config):
    """A layer, tensors and a PE's share of one of its mappings."""
    layer, tensors, shares = random_shares(seed, config)
    return layer, tensors, shares[0]


def fired_case(seed, config, parts=False):
    """The same with shares that end in a drain, outputs of all sizes, and the layer's sums
    without bias."""
    rnd = random.Random(seed)
    layer, tensors, shares = random_shares(seed, config, parts)
    bias = None
    if rnd.random() < 0.6:
        bias = np.random.default_rng(seed).integers(-3000, 3000, layer.k)
    sums = arithmetic.sums(layer, tensors.weights, tensors.activations)
    layer = replace(layer, bias=bias is not None, relu=rnd.random() < 0.5,
                    multiplier=rnd.choice([1, 3, 2**20 + 7]))
    most = max(1, int(np.abs(sums).max()) * layer.multiplier)
    shift = max(0, most.bit_length() - rnd.choice([4, 7, 9]))
    return replace(layer, shift=shift), replace(tensors, bias=bias), shares, sums


def random_chain(seed, config):
    """Two or three layers, each of which reads the one before, and their tensors; an FC layer may
    be the last one."""
    rnd, rng = random.Random(seed), np.random.default_rng(seed)
    layers, shape = [], (rnd.randint(1, 3), rnd.randint(6, 12), rnd.randint(6, 12))
    for n in range(rnd.randint(2, 3)):
        c, h, w = shape
        r, s = rnd.randint(1, min(3, h)), rnd.randint(1, min(3, w))
        layer = Layer(name=f"l{n}", c=c, h=h, w=w, k=rnd.randint(2, 6), r=r, s=s, out_bits=8,
                      stride=rnd.choice([1, 1, 2]), pad=rnd.randint(0, 1), relu=rnd.random() < 0.7,
                      bias=rnd.random() < 0.5)
        layers.append(with_pool(rnd, layer) if rnd.random() < 0.4 else layer)
        shape = layers[-1].outputs_shape
    if rnd.random() < 0.6 and max(shape[1:]) <= config.max_kernel:
        layers.append(Layer.fc("fc", math.prod(shape), rnd.randint(2, 12), out_bits=8))
    return layers, [random_tensors(rng, layer) for layer in layers]
