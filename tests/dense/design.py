"""The naive systolic array in its machine, as the common tests see it."""

from dataclasses import replace

from golden.s2engine import compile as work
from golden.s2engine import golden
from golden.s2engine.cycles import cycles
from golden.s2engine.image import program
from golden.tensors import Tensors
from sim.dense.run import RTL
from tests.common.harness import Design
from tests.common.random_layers import random_layer, random_values


def compile(layers, tensors, config):
    """From layers to a program."""
    return program(work.compile(layers, tensors, config), ce=False)


def layer(rnd):
    """A random layer that the machine can have: 8-bit outputs, no shift of products."""
    made = random_layer(rnd)
    return replace(made, product_shift=0, out_bits=min(made.out_bits, 8))


def tensors(rng, layer):
    return Tensors(random_values(rng, layer.weights_shape),
                   random_values(rng, layer.activations_shape),
                   rng.integers(-128, 128, layer.k) if layer.bias else None)


NAIVE = Design(rtl=RTL, compile=compile, golden=golden.outputs, cycles=cycles,
               refusals=("must fit",), layer=layer, tensors=tensors)
