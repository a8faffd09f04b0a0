"""One network from random weights to integers: trained, pruned, quantised, as the hardware runs it.

Everything is measured on held-out images, which decide nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from golden.cambricon_s.neurons import Alive, remove_dead
from golden.cambricon_s.pruning import iterate
from golden.cambricon_s.quantise import GLOBAL, Quantised, quantise
from golden.formats.coarse_grain import grid_shape, spread
from golden.layers import Layer, reference
from sparseforge.networks.digits.quantise import IMAGE_FRAC, fraction_bits
from sparseforge.pruning.networks import Data, Effort, Plan
from sparseforge.pruning.trainer import Net, initialise, train

WEIGHT_BITS = OUT_BITS = 16         # of codebook entries and neurons at the paper's preset
ACC_BITS = 48


@dataclass(frozen=True)
class Integer:
    """A layer in integers: weights `[K, C, R, S]`, bias `[K]`; `layer` has its shift."""

    layer: Layer
    weights: np.ndarray
    bias: np.ndarray
    codebooks: np.ndarray
    in_frac: int
    weight_frac: int
    out_frac: int


@dataclass(frozen=True)
class Pruned:
    """A network after pruning: masks of whole blocks, and which neurons are alive."""

    net: Net
    masks: list[np.ndarray]
    alive: Alive

    @property
    def density(self) -> float:
        return sum(int(m.sum()) for m in self.masks) / sum(m.size for m in self.masks)


def generator(seed: int, *salt: int) -> np.random.Generator:
    return np.random.default_rng([seed, *salt])


def dense(plans: Sequence[Plan], data: Data, seed: int, effort: Effort) -> tuple[Net, Net]:
    """(the network as initialised, the same trained)."""
    start = initialise([plan.layer for plan in plans], generator(seed, 0))
    return start, train(start, data.images, data.labels, generator(seed, 1), epochs=effort.dense)


def longer(net: Net, data: Data, seed: int, effort: Effort) -> Net:
    """The dense network trained as long as a pruned one: what pruning is held against."""
    return train(net, data.images, data.labels, generator(seed, 2), epochs=effort.after)


def pruned(net: Net, plans: Sequence[Plan], data: Data, seed: int, effort: Effort) -> Pruned:
    """The trained network, pruned in rounds and trained again after each."""
    rng, now = generator(seed, 2), net

    def retrain(masks: list[np.ndarray], number: int) -> list[np.ndarray]:
        nonlocal now
        final = number == effort.rounds - 1
        now = _masked(now, *_living(masks, plans))
        now = train(now, data.images, data.labels, rng, project=_keep(now),
                    epochs=effort.each + (effort.settle if final else 0))
        return now.weights

    masks, _ = iterate(net.weights, [plan.pruning for plan in plans], effort.rounds, retrain)
    masks, alive = _living(masks, plans)
    return Pruned(_masked(now, masks, alive), masks, alive)


def _living(masks: list[np.ndarray], plans: Sequence[Plan]) -> tuple[list[np.ndarray], Alive]:
    """Masks without the blocks that hang on dead neurons alone, and what is alive.

    A block stays whole as long as one of its neurons lives: that is what the shared index says.
    """
    alive = remove_dead(masks)
    kept = []
    for mask, left, plan in zip(masks, alive.masks, plans, strict=True):
        block = plan.pruning.block
        if block.steps == block.sides:
            shape = grid_shape(mask.shape, block)
            padded = np.pad(left, [(0, n * side - size) for n, side, size in
                                   zip(shape, block.sides, mask.shape, strict=True)])
            cells = padded.reshape([v for pair in zip(shape, block.sides, strict=True)
                                    for v in pair])
            mask = spread(np.asarray(cells.any((1, 3, 5, 7))), mask.shape, block) & mask
        kept.append(mask)
    return kept, alive


def _masked(net: Net, masks: list[np.ndarray], alive: Alive) -> Net:
    """The network without pruned synapses and without the biases of dead neurons."""
    return Net(net.layers, [w * m for w, m in zip(net.weights, masks, strict=True)],
               [b * n for b, n in zip(net.biases, alive.neurons[1:], strict=True)])


def _keep(net: Net):
    """A projection: what is zero in `net` stays zero."""
    masks = [w != 0 for w in net.weights]
    return lambda weights: [w * m for w, m in zip(weights, masks, strict=True)]


def quantised(net: Net, masks: Sequence[np.ndarray], plans: Sequence[Plan], data: Data, seed: int,
              effort: Effort, local: bool = True) -> tuple[Net, list[Quantised]]:
    """The network with the weights of its codebooks, which are trained on; and these."""
    books = [quantise(w, m, plan.bits, plan.cut if local else GLOBAL)
             for w, m, plan in zip(net.weights, masks, plans, strict=True)]

    def project(weights: list[np.ndarray]) -> list[np.ndarray]:
        return [q.tie(w).look_up() for q, w in zip(books, weights, strict=True)]

    if effort.tied:
        net = train(net, data.images, data.labels, generator(seed, 3), epochs=effort.tied,
                    rate=5e-4, project=project)
        books = [q.tie(w) for q, w in zip(books, net.weights, strict=True)]
    return Net(net.layers, [q.look_up() for q in books], net.biases), books


def integers(net: Net, books: Sequence[Quantised], data: Data) -> list[Integer]:
    """The network in integers; ranges come from the training images, with one bit to spare."""
    ranges = [float(np.abs(stage).max()) for stage in net.stages(data.images)]
    result, in_frac = [], IMAGE_FRAC
    for layer, q, bias, largest in zip(net.layers, books, net.biases, ranges, strict=True):
        frac = fraction_bits(float(np.abs(q.codebooks).max()), WEIGHT_BITS)
        out_frac = min(fraction_bits(2 * largest, OUT_BITS), in_frac + frac)
        codebooks = np.rint(q.codebooks.astype(np.float64) * 2.0**frac).astype(np.int64)
        result.append(Integer(
            replace(layer, shift=in_frac + frac - out_frac, out_bits=OUT_BITS),
            q.look_up(codebooks), np.rint(bias.astype(np.float64) * 2.0 ** (in_frac + frac)).astype(
                np.int64), codebooks, in_frac, frac, out_frac))
        in_frac = out_frac
    return result


def integer_logits(layers: Sequence[Integer], pixels: np.ndarray) -> np.ndarray:
    """The integer network as the hardware computes it: pixels [N, 1, 8, 8] of 0…16 → int64
    [N, K]."""
    x = pixels.astype(np.int64)
    for one in layers:
        layer = replace(one.layer, batch=len(x))
        x = reference(layer, one.weights, x.reshape(layer.activations_shape), one.bias,
                      ACC_BITS).outputs
    return x.reshape(len(x), -1)


def integer_accuracy(layers: Sequence[Integer], data: Data) -> float:
    pixels = np.rint(data.held * 2**IMAGE_FRAC).astype(np.int64)
    return float((integer_logits(layers, pixels).argmax(1) == data.held_labels).mean())
