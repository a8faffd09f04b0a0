"""Networks that nobody can train here: their shapes with synthetic weights, for sizes alone.

Kept blocks lie at random places at the published density; weights are what magnitude pruning to
that density would leave of a Laplace distribution: ±(threshold + exponential). Neither has the
structure of trained weights, and every report says so.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from golden.cambricon_s.compression import Sizes, tally
from golden.cambricon_s.irregularity import Irregularity, irregularity
from golden.cambricon_s.pruning import Block
from golden.cambricon_s.quantise import cluster
from golden.formats.coarse_grain import grid_shape, spread
from golden.layers import Layer
from sparseforge.networks.network import Network
from sparseforge.pruning.networks import CONV_BITS, FC_BITS, block_for

SUBMATRIX = 1024        # outputs and inputs of a sub-matrix of an FC layer; a convolution has one


@dataclass(frozen=True)
class Synthetic:
    """A layer's sizes with codebooks per sub-matrix (local) and with one (global)."""

    layer: Layer
    block: Block
    bits: int
    local: Sizes
    single: Sizes
    irregularity: Irregularity | None


def layer_sizes(layer: Layer, density: float, last: bool, seed: int, *,
                jbig: bool = True) -> Synthetic:
    """Draws a layer and compresses it."""
    rng = np.random.default_rng([seed, zlib.crc32(layer.name.encode())])
    block, bits = block_for(layer, last), FC_BITS if layer.is_fc else CONV_BITS
    shape = layer.weights_shape
    grid = np.zeros(grid_shape(shape, block, layer.groups), bool)
    flat = grid.reshape(-1)
    flat[rng.permutation(flat.size)[:max(1, round(density * flat.size))]] = True
    mask = spread(grid, shape, block, layer.groups)
    kept = int(mask.sum())
    fine = np.zeros(mask.size, bool)
    fine[rng.permutation(mask.size)[:kept]] = True
    values = rng.exponential(size=kept) - np.log(kept / mask.size)
    values = (values * rng.choice([-1, 1], kept)).astype(np.float32)
    side = SUBMATRIX if layer.is_fc else max(shape)
    rows, columns = np.divmod(np.flatnonzero(mask.reshape(-1)) // (shape[2] * shape[3]), shape[1])
    across = -(-shape[1] // side)
    number = rows // side * across + columns // side
    found = []
    for numbers, total in ((number, -(-shape[0] // side) * across), (np.zeros_like(number), 1)):
        indices, _, used = cluster(values, numbers, total, bits)
        found.append(tally(layer.name, grid, fine, np.bincount(indices, minlength=1 << bits),
                           int(used.sum()), bits))
    measured = irregularity(fine.reshape(shape), mask) if jbig else None
    return Synthetic(layer, block, bits, found[0], found[1], measured)


def network_sizes(net: Network, seed: int, density: float | None = None, *, jbig: bool = True,
                  each: Callable[[str], None] = lambda name: None) -> list[Synthetic]:
    """Every layer of a built-in network, at its published (or one) density."""
    entries = net.entries
    out = []
    for n, entry in enumerate(entries):
        each(entry.layer.name)
        out.append(layer_sizes(entry.layer, density or entry.densities.weights,
                               n == len(entries) - 1, seed, jbig=jbig))
    return out
