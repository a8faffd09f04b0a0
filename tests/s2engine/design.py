"""S² Engine, as the common tests see it."""

from dataclasses import replace

import numpy as np

from golden.s2engine import compile as work
from golden.s2engine import golden
from golden.s2engine.cycles import cycles
from golden.s2engine.image import program
from golden.tensors import Tensors
from sim.s2engine.run import RTL
from tests.common.harness import Design
from tests.common.random_layers import random_layer, random_values


def compile(layers, tensors, config, **options):
    """From layers to a program."""
    return program(work.compile(layers, tensors, config), **options)


def layer(rnd):
    """A random layer that the machine can have: no shift of products; some of more channels than
    a group has, of outputs beyond 8 bits."""
    made = replace(random_layer(rnd), product_shift=0)
    if rnd.random() < 0.3 and made.groups == 1 and made.r * made.s < 20:
        made = replace(made, c=rnd.randint(1, 40), k=rnd.randint(1, 30))
    return replace(made, out_bits=rnd.choice([made.out_bits, made.out_bits, 16]))


def tensors(rng, layer):
    """Values of 8 bits, of 16, or some of either."""
    def values(shape):
        wide = rng.choice([0, 0, 0.1, 1])
        return np.where(rng.random(shape) < wide, random_values(rng, shape, 16),
                        random_values(rng, shape))
    return Tensors(values(layer.weights_shape), values(layer.activations_shape),
                   rng.integers(-128, 128, layer.k) if layer.bias else None)


S2 = Design(rtl=RTL, compile=compile, golden=golden.outputs, cycles=cycles,
            refusals=("must fit", "must be at most 8"), layer=layer, tensors=tensors)
