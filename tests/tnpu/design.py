"""TNPU's batches, as the common tests see a program."""

from dataclasses import dataclass

import numpy as np

from golden.tnpu.compile import compile
from golden.tnpu.train import step
from sim.tnpu.run import RTL, batch
from tests.common.harness import Design

RATES = {"rate": 0.05, "momentum": 0.9}


def compiled(networks, tensors, config):
    (network,), ((parameters, inputs, targets),) = networks, tensors
    program = compile(network, config, len(inputs), **RATES)
    return batch(program, program.image(parameters, inputs, targets))


@dataclass(frozen=True)
class Trained:
    outputs: np.ndarray


def golden(networks, tensors, config):
    (network,), ((parameters, inputs, targets),) = networks, tensors
    trained = parameters.copy()
    step(network, trained, inputs, targets, **RATES)
    return [Trained(trained.flat())]


TNPU = Design(rtl=RTL, compile=compiled, golden=golden, cycles=None)
