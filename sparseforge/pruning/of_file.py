"""A network that is trained already, in a file of the form of ``digits.onnx``: pruned in blocks,
trained again, and written in the same form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from golden.cambricon_s.pruning import Block, Pruning
from golden.layers import Layer
from sparseforge.networks.digits.export import save
from sparseforge.networks.digits.quantise import QuantisedLayer, quantise
from sparseforge.networks.digits.reader import BadNetwork, load, quantised
from sparseforge.pruning import recipe
from sparseforge.pruning.networks import FC_BITS, MAX_2_2, Effort, Plan, Recipe, block_for, data
from sparseforge.pruning.trainer import Net

FC_BLOCK = Block(fin=2, fout=10)
DENSITY = 0.5           # of all layers but one that reads a single colour: it has few synapses
EFFORT = Effort(dense=0, rounds=6, each=3, settle=16, tied=0)


def read(path: Path) -> tuple[Recipe, Net]:
    """How the file's network is pruned if nothing else is said; and the network in floats."""
    table, parts = load(path)[0], quantised(path)
    layers = [_trainable(path, layer, n == len(table) - 1) for n, layer in enumerate(table)]
    plans = tuple(
        Plan(layer, Pruning(block=FC_BLOCK if layer.is_fc else block_for(layer, False),
                            density=1.0 if layer.c == 1 else DENSITY), FC_BITS)
        for layer in layers)
    weights = [(one.weights * 2.0**-one.weight_frac).astype(np.float32).reshape(
        layer.weights_shape) for layer, one in zip(layers, parts, strict=True)]
    biases = [(one.bias * 2.0**-(one.in_frac + one.weight_frac)).astype(np.float32)
              for one in parts]
    return (Recipe(path.stem, "trained on the digits", plans, EFFORT),
            Net(layers, weights, biases))


def _trainable(path: Path, layer: Layer, last: bool) -> Layer:
    """The layer without what quantisation says of it; an FC layer as one."""
    if last:
        shaped = Layer.fc(layer.name, layer.c * layer.r * layer.s, layer.k, bias=True)
        fits = (layer.r, layer.s) == (layer.h, layer.w) and not layer.relu and layer.pool is None
    else:
        shaped = Layer(name=layer.name, c=layer.c, h=layer.h, w=layer.w, k=layer.k, r=3, s=3,
                       pad=1, bias=True, relu=True, pool=MAX_2_2)
        fits = shaped == replace(layer, shift=shaped.shift, out_bits=shaped.out_bits,
                                 pad=shaped.pad)
    if not fits:
        raise BadNetwork(f"{path}: {layer.name}: only 3 × 3 convolutions with ReLU and max pooling "
                         f"of 2 × 2 before one FC layer are pruned")
    return shaped


def prune(plans: Sequence[Plan], net: Net, effort: Effort, seed: int, out: Path) -> dict[str, Any]:
    """Prunes, trains what is left, quantises, writes `out`; what became of it."""
    images = data()
    pruned = recipe.pruned(net, plans, images, seed, effort)
    layers = _integers(pruned.net, images.images)
    after = save(out, layers, {"pruned_by": "sparseforge prune", "seed": str(seed)})
    return {
        "accuracy": {"before": net.accuracy(images.held, images.held_labels),
                     "pruned": pruned.net.accuracy(images.held, images.held_labels),
                     "integer": after},
        "layers": [{"name": one.name, "block": str(plan.pruning.block),
                    "synapses": one.weights.size, "kept": int(mask.sum()),
                    "density": float(mask.mean())}
                   for plan, one, mask in zip(plans, layers, pruned.masks, strict=True)]}


def _integers(net: Net, images: np.ndarray) -> list[QuantisedLayer]:
    largest = [float(np.abs(stage).max()) for stage in net.stages(images)]
    return quantise((layer.name, w[:, :, 0, 0] if layer.is_fc else w, bias, most)
                    for layer, w, bias, most in zip(net.layers, net.weights, net.biases, largest,
                                                    strict=True))
