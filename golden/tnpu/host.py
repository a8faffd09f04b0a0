"""What the host does between FP and BP: the error of softmax cross-entropy, for which the hardware
has no exponential. It reads each instance's output and writes its error, values of 32 bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.tnpu import train
from golden.tnpu.program import Program
from golden.tnpu.regions import output_of


class Done(NamedTuple):
    """The memory that BP starts from, and the words that the host moved over the bus."""

    memory: np.ndarray
    words: int


def form_errors(program: Program, memory: np.ndarray) -> Done:
    """`memory` (uint8 from the program's base on) after FP; `program` is what runs next."""
    network = program.network
    n = len(network.layers) - 1
    last, output = network.layers[n], output_of(network)
    name = f"q{n}" if last.pool else f"e{n}"
    after, values = memory.copy(), 0
    for instance in range(program.batch):
        y, target = (program.tensor(memory, region, instance) for region in (output, "target"))
        error = train.loss_error(network, y, target)
        if last.relu and not last.pool:
            error = train.unpool(last, error, y, None)
        region = program.regions[name]
        packed = region.shape.pack(error)
        at = region.address(instance) - program.base
        after[at:at + packed.nbytes] = packed.view(np.uint8)
        values += 3 * packed.size
    program.put_queues(after)
    return Done(after, -(-values // program.config.lanes))
