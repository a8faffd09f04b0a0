"""Random weights and features for an array, as dense groups, tokens and masks."""

import numpy as np

from golden.formats import ecoo
from golden.s2engine.array import CHAIN, EMPTY, FB


def dense(rng, shape, group, density, wide):
    """Groups of integers: this share non-zero, of which `wide` need 16 bits."""
    small = rng.integers(-128, 128, (*shape, group))
    halves = rng.choice([-1, -256, 0xFF], (*shape, group))    # both, high, low
    large = rng.integers(-32768, 32768, (*shape, group)) & halves
    values = np.where(rng.random((*shape, group)) < wide, large, small)
    return np.where(rng.random((*shape, group)) < density, values, 0)


def tokens(groups, kernel=None):
    """A flow's tokens; `kernel`: groups of a kernel, whose last token gets EOK."""
    t = ecoo.compress(groups)
    out = [{"value": int(v), "offset": int(o), "eog": bool(e), "tag": bool(g), "eok": False}
           for v, o, e, g in zip(t.value, t.offset, t.eog, t.tag, strict=True)]
    if kernel:
        ends = [n for n, token in enumerate(out) if token["eog"]]
        for n in ends[kernel - 1::kernel]:
            out[n]["eok"] = True
    return out


def chain(rows, columns, stride, kernel_rows, idle=0):
    """(source, keep) by group and row, for one chain of `rows` and `idle` rows without pixels;
    and each group's input column and kernel column: (residue, k)."""
    source, keep, place = [], [], []
    for _ in range(kernel_rows):
        for residue in range(min(stride, columns)):
            steps = -(-(columns - residue) // stride)
            for k in range(steps):
                source.append([FB if k == 0 or i == rows - 1 else CHAIN for i in range(rows)]
                              + [EMPTY] * idle)
                keep.append([int(i > 0 and k < steps - 1) for i in range(rows)] + [0] * idle)
                place.append((residue, k))
    return np.array(source), np.array(keep), place
