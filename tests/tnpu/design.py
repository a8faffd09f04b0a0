"""TNPU's batches, as the common tests see a program."""

from dataclasses import dataclass

import numpy as np

from golden.program import Segment
from golden.tnpu.compile import compile
from golden.tnpu.train import step
from sim.common.design import DesignRTL
from sim.tnpu.run import CAUSES, Row, Top, job
from tests.common.harness import Design

RATES = {"rate": 0.05, "momentum": 0.9}


@dataclass(frozen=True)
class Stored:
    """Where a program may write."""

    stored: tuple[int, int]


@dataclass(frozen=True)
class Batch:
    """A program and the tensors of one batch, with the members of `golden.program.Program`."""

    program: object
    segments: tuple

    @property
    def config(self):
        return self.program.config


def batch(networks, tensors, config):
    (network,), ((parameters, inputs, targets),) = networks, tensors
    program = compile(network, config, len(inputs), **RATES)
    image = job(program, program.image(parameters, inputs, targets)).image
    # Inputs and targets come first; everything behind them is the machine's to write.
    first = min(region.base for name, region in program.regions.items()
                if name not in ("input", "target"))
    return Batch(program, (Segment(image=image, base=0, desc_addr=program.descriptor_at,
                                   passes=(Stored((first, program.end)),)),))


@dataclass(frozen=True)
class Trained:
    outputs: np.ndarray


def flat(parameters):
    """All weights, biases and velocities in one array."""
    return np.concatenate([value.reshape(-1) for value in parameters.arrays()])


def golden(networks, tensors, config):
    (network,), ((parameters, inputs, targets),) = networks, tensors
    trained = parameters.copy()
    step(network, trained, inputs, targets, **RATES)
    return [Trained(flat(trained))]


def outputs(memories, given, index):
    program = given.program
    memory = np.frombuffer(memories[0], np.uint8)[program.base:program.end]
    return [flat(program.parameters(memory))]


TNPU = Design(rtl=DesignRTL("tnpu", Top, causes=CAUSES, outputs=outputs,
                            blocks=lambda config: (Row,), pes=lambda config: config.multipliers),
              compile=batch, golden=golden, cycles=None)
