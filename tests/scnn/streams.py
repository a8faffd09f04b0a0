"""Random lines and activations for the cycle models: in the reference's form and in arrays."""

import numpy as np

from golden.scnn.compute import ALL, BIAS, EMPTY, NEVER, WEIGHT, Inputs, Lines
from tests.scnn.reference_pe import Line, Slot


def random_inputs(rng, config, channels, reach):
    """Per PE: channel to rows of I addresses below `reach`, None for a zero. Some are absent."""
    pes = []
    for _ in range(config.pes):
        rows = {}
        for channel in range(channels):
            if rng.random() < 0.25:
                continue
            rows[channel] = [
                tuple(int(rng.integers(reach)) if rng.random() < 0.9 else None
                      for _ in range(config.mults_i))
                for _ in range(rng.integers(1, 4))]
        pes.append(rows)
    return pes


def _block(rng, config, channel, reach, most):
    """Slots of one block."""
    count = int(rng.integers(1, most + 1))
    return [Slot(WEIGHT, n == 0, n == count - 1, channel,
                 tuple(int(rng.integers(reach)) if rng.random() < 0.85 else None
                       for _ in range(config.mults_f))) for n in range(count)]


def random_group(rng, config, channels, reach):
    """Lines of one group: biases, blocks that span at most fifo_lines lines, an end."""
    bus, limit = config.weight_bus, config.fifo_lines
    most = int(rng.choice([1, 3, min(6, (limit - 1) * bus), (limit - 1) * bus]))
    lines = [Line(ALL, [Slot(BIAS) for _ in range(int(rng.integers(bus + 1)))])]
    sparse, unicast = rng.random() < 0.3, rng.random() < 0.3
    for channel in rng.permutation(channels).tolist():
        block = _block(rng, config, channel, reach, most)
        target = int(rng.integers(config.pes)) if unicast else ALL
        room = bus - len(lines[-1].slots)
        if target != lines[-1].target or -(-(len(block) - room) // bus) + 1 > limit:
            lines.append(Line(target, []))
        for slot in block:
            if len(lines[-1].slots) == bus or (sparse and rng.random() < 0.1 and slot.first):
                lines.append(Line(target, []))
            lines[-1].slots.append(slot)
            if sparse and rng.random() < 0.2 and len(lines[-1].slots) < bus and slot.last:
                lines[-1].slots.append(Slot(EMPTY))
    if rng.random() < 0.5:
        lines.append(Line(ALL, []))
    lines[-1].end_group = True
    for line in lines:
        line.slots += [Slot(EMPTY) for _ in range(bus - len(line.slots))]
    return lines


def as_arrays(config, lines):
    """The lines as `golden.scnn.compute.Lines`."""
    def table(pick, dtype):
        return np.array([[pick(slot) for slot in line.slots] for line in lines], dtype)

    def offsets(slot):
        given = slot.offsets or (None,) * config.mults_f
        return [NEVER if w is None else w for w in given]

    return Lines(
        np.array([line.target for line in lines], np.int32),
        np.array([line.end_group for line in lines], np.bool_),
        table(lambda s: s.kind, np.int8), table(lambda s: s.first, np.bool_),
        table(lambda s: s.last, np.bool_), table(lambda s: s.channel, np.int32),
        table(offsets, np.int32))


def as_inputs(config, pes, channels):
    """The activations as `golden.scnn.compute.Inputs`."""
    start = np.zeros((config.pes, channels), np.int32)
    count = np.zeros_like(start)
    rows = []
    for pe, held in enumerate(pes):
        for channel, block in held.items():
            start[pe, channel], count[pe, channel] = len(rows), len(block)
            rows += [[NEVER if a is None else a for a in row] for row in block]
    return Inputs(start, count, np.array(rows, np.int32).reshape(-1, config.mults_i))
