"""Random layers and tensors, for the compiles, models and Tops of all designs.

Seeds are SPARSEFORGE_SEEDS many (20 by default) per test; SPARSEFORGE_SEED=n runs n alone, as a
failed test names it.
"""

import os
from dataclasses import replace

import numpy as np

from golden.layers import Layer, Pool
from golden.tensors import Tensors

SEEDS = int(os.environ.get("SPARSEFORGE_SEEDS", "20"))
ONLY = os.environ.get("SPARSEFORGE_SEED")


def random_layer(rnd):
    """Kernels 1 to 11, R ≠ S, strides, uneven padding, groups, FC with batches, pooling."""
    groups = rnd.choice([1, 1, 1, 2, 3])
    r, s = (rnd.randint(1, rnd.choice([3, 5, 11])) for _ in range(2))
    pad = tuple(rnd.randint(0, 2) for _ in range(4)) if rnd.random() < 0.6 else 0
    shape = {"c": groups * rnd.randint(1, 4), "k": groups * rnd.randint(1, 4), "groups": groups,
             "r": r, "s": s, "h": r + rnd.randint(0, 9), "w": s + rnd.randint(0, 9), "pad": pad,
             "stride": rnd.randint(1, 4)}
    if rnd.random() < 0.15:
        shape = {"c": rnd.randint(1, 30), "k": rnd.randint(1, 12), "r": 1, "s": 1, "h": 1, "w": 1}
        shape["batch"] = rnd.choice([1, 1, 2, 4, 6])
    layer = Layer(**shape, relu=rnd.random() < 0.5, out_bits=rnd.randint(2, 8),
                  shift=rnd.randint(0, 6), bias=rnd.random() < 0.5,
                  product_shift=rnd.choice([0, 0, 3]), multiplier=rnd.choice([1, 1, 7]))
    return with_pool(rnd, layer) if rnd.random() < 0.5 else layer


def with_pool(rnd, layer):
    k = rnd.randint(1, 4)
    pool = Pool(kind=rnd.choice(["max", "avg"]), k=k, s=rnd.randint(1, 4),
                pad=rnd.randint(0, k - 1), ceil_mode=rnd.random() < 0.5)
    try:
        return replace(layer, pool=pool)
    except ValueError:                  # the pool does not fit the plane
        return layer


def random_values(rng, shape, bits=8):
    """Integers of any density, sometimes the extremes only, sometimes with empty channels."""
    low, high = -(1 << (bits - 1)), 1 << (bits - 1)
    values = rng.integers(low, high, shape) * (rng.random(shape) < rng.choice([0, .1, .4, .8, 1]))
    if rng.random() < 0.2:
        values = np.where(values != 0, rng.choice([low, high - 1], shape), 0)
    if rng.random() < 0.3:
        values[(slice(None),) * (len(shape) // 4) + (rng.integers(shape[len(shape) // 4]),)] = 0
    return values


def random_tensors(rng, layer, bits=8):
    return Tensors(random_values(rng, layer.weights_shape, bits),
                   random_values(rng, layer.activations_shape, bits),
                   rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), layer.k)
                   if layer.bias else None)
