"""MNF, as the common tests see it."""

from dataclasses import replace

from golden.mnf.compile import compile
from golden.mnf.cycles import cycles
from golden.outputs import outputs
from golden.program import Memory
from sim.mnf.top import RTL
from tests.common.harness import Design
from tests.common.random_layers import random_layer


def layer(rnd):
    """A random layer that the machine can have: one image, no shift of products."""
    made = replace(random_layer(rnd), batch=1, product_shift=0)
    return replace(made, out_bits=min(8, made.out_bits))


def golden(layers, tensors, config):
    return outputs(layers, tensors, config.acc_bits)


MNF = Design(rtl=RTL, compile=compile, golden=golden,
             cycles=lambda program, **memory: cycles(program, Memory(**memory)), layer=layer,
             refusals=("must fit", "must be at most", "must hold"))
