"""When a PE multiplies: its multiply phase as a max-plus recurrence over events.

Nothing but FIFOs lies between the events' arrival and the MACs, which take a vector per cycle. So
each event's times follow from those of the events before it (hw/mnf/README.md, *Cycles*).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.jit import njit
from hw.mnf.config import MNFConfig

READ_TO_MAC = 5     # cycles from the SRAM's read to the MACs: SRAM, FIFO, dispatcher 2, FIFO


@dataclass(frozen=True)
class Times:
    """Cycles by event: taken into the event FIFO; its first and last vector taken by the MACs."""

    taken: np.ndarray
    first: np.ndarray
    last: np.ndarray


def multiply(offered: np.ndarray, vectors: np.ndarray, config: MNFConfig) -> Times:
    """`offered`: the first cycle in which each event may be taken; `vectors` that it makes (the
    end of the data: 1). Both int64 [N]. The next event is offered when the one before is taken."""
    return Times(*_multiply(np.asarray(offered, np.int64), np.asarray(vectors, np.int64),
                            config.event_fifo))


@njit
def _multiply(offered, vectors, depth):
    count = len(offered)
    taken, first, last = np.zeros_like(offered), np.zeros_like(offered), np.zeros_like(offered)
    decoded = np.zeros_like(offered)        # leaves the event FIFO
    origin = divide = walk = finish = -1    # when the event before left these stages
    for n in range(count):
        taken[n] = offered[n]
        if n > 0:
            taken[n] = max(taken[n], taken[n - 1] + 1)
        if n >= depth:
            taken[n] = max(taken[n], decoded[n - depth] + 1)
        decoded[n] = max(taken[n] + 1, origin)
        if n > 0:
            decoded[n] = max(decoded[n], decoded[n - 1] + 1)
        origin = max(decoded[n] + 1, divide)
        divide = max(origin + 1, walk)
        walk = max(divide + 1, finish)
        finish = walk + vectors[n]
        first[n], last[n] = walk + 1 + READ_TO_MAC, finish + READ_TO_MAC
    return taken, first, last
