"""A mapping carried out: events through the words and banks of every PE of every pass.

It checks `mapping`, `passes` and `lanes` against golden's tensors; it is no part of golden outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.jit import njit
from golden.layers import Layer
from golden.mnf.events import Pixels, generate
from golden.mnf.geometry import Geometry
from golden.mnf.lanes import LaneMap
from golden.mnf.mapping import Mapping
from golden.mnf.passes import Share, passes, words


@dataclass(frozen=True)
class Executed:
    """Sums [K, Ho, Wo] without bias; vectors and multiplications of each PE of each pass."""

    sums: np.ndarray
    vectors: list[list[int]]
    macs: list[list[int]]


def execute(mapping: Mapping, weights: np.ndarray, plane: np.ndarray) -> Executed:
    """Runs a layer of one image [C, H, W]. Banks are as large as the PE's."""
    layer, config = mapping.layer, mapping.config
    out = np.zeros((layer.k, layer.ho, layer.wo), np.int64)
    pixels = Pixels.of(plane)
    held: dict[int, np.ndarray] = {}        # by PE: the sums that a pass left
    vectors, macs = [], []
    for shares in passes(mapping):
        counts = []
        for pe, share in enumerate(shares):
            banks = held.pop(pe, None)
            if banks is None:
                banks = np.zeros((config.lanes, config.acc_entries), np.int64)
            counts.append(_run(share, layer, weights, pixels, banks))
            if share.fires:
                _take(share, layer, banks, out)
            else:
                held[pe] = banks
        vectors.append([count[0] for count in counts])
        macs.append([count[1] for count in counts])
    return Executed(out, vectors, macs)


def _run(share: Share, layer: Layer, weights: np.ndarray, pixels: Pixels,
         banks: np.ndarray) -> tuple[int, int]:
    """A PE's share: (vectors, multiplications); adds to its banks [lanes, entries]."""
    first = share.group * (layer.c // layer.groups)
    own = pixels.channels(first + share.c[0], first + share.c[1])
    events = generate(own, Geometry.of(layer), share.band, share.lanes.pitch)
    sram = words(share, layer, weights, len(banks)).astype(np.int64)
    slots = np.array([(row, col, step) for (row, col), step in
                      zip(share.lanes.slots, share.lanes.steps, strict=True)], np.int64)
    return _multiply(events, sram, banks, slots, _shape(share.lanes))


def _shape(lanes: LaneMap) -> np.ndarray:
    return np.array([lanes.pr, lanes.pc, lanes.kl, lanes.pitch, *lanes.taps, lanes.groups,
                     lanes.stretch], np.int64)


def _take(share: Share, layer: Layer, banks: np.ndarray, out: np.ndarray) -> None:
    """The sums of a share, out of their banks and into the layer's."""
    lanes, (first, last) = share.lanes, share.band
    rows, cols = np.mgrid[0:last - first, 0:layer.wo]
    neuron = rows * lanes.pitch + cols
    base = share.group * (layer.k // layer.groups) + share.k[0]
    for n in range(share.k[1] - share.k[0]):
        bank = neuron % lanes.positions * lanes.kl + n % lanes.kl
        entry = n // lanes.kl * lanes.stretch + neuron // lanes.positions
        out[base + n, first:last] = banks[bank, entry]


@njit
def _multiply(events, sram, banks, slots, shape):
    """`LaneMap.vectors` and `targets`, event by event, into the banks: (vectors, products)."""
    pr, pc, kl, pitch, tap_rows, tap_cols, groups, stretch = shape
    positions, across = pr * pc, -(-tap_cols // pc)
    tiles = -(-tap_rows // pr) * across
    vectors = products = 0
    for n in range(len(events)):
        value, channel, tap_row, tap_col, neuron, y_jump, x_jump = events[n]
        fr, fc = tap_rows - 1 - tap_row, tap_cols - 1 - tap_col
        for g in range(groups):
            for a in range(fr // pr, (fr + y_jump) // pr + 1):
                for b in range(fc // pc, (fc + x_jump) // pc + 1):
                    vectors += 1
                    word = (channel * groups + g) * tiles + tiles - 1 - a * across - b
                    origin = neuron + (a * pr - fr) * pitch + b * pc - fc
                    entry, rotation = origin // positions, origin % positions
                    for d in range(positions):
                        row, col = slots[d, 0] + a * pr, slots[d, 1] + b * pc
                        if fr <= row <= fr + y_jump and fc <= col <= fc + x_jump:
                            turned = rotation + d
                            at = entry + g * stretch + slots[d, 2] + turned // positions
                            bank = turned % positions * kl
                            for k in range(kl):
                                banks[bank + k, at] += sram[word, d * kl + k] * value
                                products += 1
    return vectors, products
