"""Cambricon-S, as the common tests see it."""

from dataclasses import replace

from golden import outputs
from golden.cambricon_s.compile import compile
from golden.cambricon_s.cycles import cycles
from sim.cambricon_s.run import RTL
from tests.common import random_layers
from tests.common.harness import Design


def layer(rnd):
    """A random layer without what the machine lacks: product shifts, pooling of FC layers."""
    made = random_layers.random_layer(rnd)
    pool = None if made.is_fc else made.pool
    return replace(made, product_shift=0, pool=pool)


def golden(layers, tensors, config):
    return outputs.outputs(layers, tensors, config.acc_bits)


CAMBRICON = Design(rtl=RTL, compile=compile, golden=golden, cycles=cycles, layer=layer,
                   refusals=("buffers must hold",))
