"""A single instance, phase by phase: what memory holds before and after, and what it multiplies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from golden.layers import Layer, effectual_macs
from golden.tensors import Tensors
from golden.tnpu import train
from golden.tnpu.network import Network, Parameters, initial
from golden.tnpu.program import Program

RATE, MOMENTUM = 0.1, 0.9       # what `compile` takes unless told otherwise
GIVES = {"FP": "ypa", "BP": "eq", "GD": "g", "WU": "wbv"}       # by the regions' first letters


def parameters_of(network: Network, tensors: Sequence[Tensors]) -> Parameters:
    """The tensors as parameters without velocity."""
    out = initial(network)
    for n, given in enumerate(tensors):
        out.weights[n] = given.weights.astype(np.float32).reshape(network.layers[n].weights_shape)
        if given.bias is not None:
            out.biases[n] = given.bias.astype(np.float32)
    return out


def _whole(network: Network, tensors: Sequence[Tensors], input_error: bool
           ) -> tuple[Parameters, Parameters, dict[str, np.ndarray], np.ndarray]:
    """Parameters before and after, every other region's tensor, the target (zeros)."""
    before = parameters_of(network, tensors)
    first, last = network.layers[0], network.layers[-1]
    x = tensors[0].activations.astype(np.float32).reshape(first.c, first.h, first.w)
    target = np.zeros((last.k, last.out_h, last.out_w), np.float32)
    one = train.forward(network, before, x)
    train.backward(network, before, one, target)
    gradients = train.zeros(before)
    seen: dict[str, np.ndarray] = {}
    for n, layer in enumerate(network.layers):
        train.layer_gd(layer, gradients, n, one.inputs[n], one.errors[n])
        seen |= {f"y{n}": one.sums[n], f"e{n}": one.errors[n], f"gw{n}": gradients.weights[n],
                 f"gb{n}": gradients.biases[n]}
        chosen = one.chosen[n]
        if layer.pool:
            seen[f"p{n}"] = (one.inputs[n + 1] if n + 1 < len(network.layers) else one.output)
            error = (train.layer_bp(network.layers[n + 1], before.weights[n + 1],
                                    one.errors[n + 1]) if n + 1 < len(network.layers)
                     else train.loss_error(network, one.output, target))
            seen[f"q{n}"] = error.reshape(layer.k, layer.out_h, layer.out_w)
        if chosen is not None:
            seen[f"a{n}"] = chosen.astype(np.uint32).view(np.float32)
    if input_error:
        seen["input_error"] = train.layer_bp(first, before.weights[0], one.errors[0])
    after = before.copy()
    train.update(after, gradients, RATE, MOMENTUM)
    return before, after, seen, target


def images(program: Program, tensors: Sequence[Tensors], phases: tuple[str, ...]
           ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Memory before the phases run, and the values of the regions that they give, by golden."""
    before, after, seen, target = _whole(program.network, tensors, True)
    x = tensors[0].activations.astype(np.float32)
    memory = program.image(before, x[None], target[None])
    expected: dict[str, np.ndarray] = {}
    for name, tensor in seen.items():
        values = program.regions[name].shape.pack(tensor)
        phase = "BP" if name == "input_error" else next(
            p for p, letters in GIVES.items() if name[0] in letters)
        if phase in phases:
            expected[name] = values
        else:
            at = program.regions[name].address(0) - program.base
            memory[at:at + values.nbytes] = values.view(np.uint8)
    if "WU" in phases:
        for n in range(len(program.network.layers)):
            for name, value in ((f"w{n}", after.weights[n]), (f"b{n}", after.biases[n]),
                                (f"vw{n}", after.weight_velocities[n]),
                                (f"vb{n}", after.bias_velocities[n])):
                expected[name] = program.regions[name].shape.pack(value)
    return memory, expected


def effectual(layer: Layer, tensors: Tensors, phases: tuple[str, ...]) -> tuple[int, int]:
    """Multiplications that the phases' definitions ask for, and those of two operands that are
    not zero."""
    _, after, seen, _ = _whole(Network((layer,)), [tensors], False)
    live = seen["e0"].reshape(layer.k, layer.ho, layer.wo) != 0
    weights, x = tensors.weights.reshape(layer.weights_shape) != 0, tensors.activations != 0
    weight_count = layer.weight_count + layer.k * layer.bias
    moving = sum(int(np.count_nonzero(value)) for value in (after.weight_velocities[0],
                                                            after.bias_velocities[0]))
    parts: dict[str, tuple[int, Any]] = {
        "FP": (layer.macs, lambda: effectual_macs(layer, tensors.weights, tensors.activations)),
        "BP": (layer.macs, lambda: _covered(layer, weights, np.ones_like(x), live)),
        "GD": (layer.macs, lambda: _covered(layer, np.ones_like(weights), x, live)),
        "WU": (2 * weight_count, lambda: moving)}
    return (sum(parts[phase][0] for phase in phases),
            sum(int(parts[phase][1]()) for phase in phases))


def _covered(layer: Layer, weights: np.ndarray, x: np.ndarray, live: np.ndarray) -> int:
    """Σ over outputs that are `live` of the taps where both masks hold."""
    from golden.layers import sums
    shape = Layer(**{**layer.as_dict(), "bias": False, "pool": None})
    counts = sums(shape, weights.astype(np.int64),
                  x.astype(np.int64).reshape(layer.activations_shape))
    return int((counts * live).sum())
