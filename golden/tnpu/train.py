"""Training, bit for bit as the hardware does it: FP, BP, GD, WU over whole tensors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from golden.layers import Layer
from golden.tnpu import arithmetic as fp32
from golden.tnpu.arithmetic import axpy, canonical
from golden.tnpu.network import Network, Parameters


@dataclass
class Instance:
    """One instance's tensors. `inputs[n]` goes into layer n, `sums[n]` comes out of it after ReLU
    and before pooling; `errors[n]` is the loss's gradient by that, before ReLU's mask is undone."""

    inputs: list[np.ndarray] = field(default_factory=list)
    sums: list[np.ndarray] = field(default_factory=list)
    chosen: list[np.ndarray | None] = field(default_factory=list)
    errors: list[np.ndarray] = field(default_factory=list)
    output: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass
class Gradients:
    """Sums over a batch, per layer."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]


def padded(layer: Layer, x: np.ndarray) -> np.ndarray:
    """The plane [C, H, W] with the layer's padding."""
    top, bottom, left, right = layer.pads
    return np.pad(x, ((0, 0), (top, bottom), (left, right)))


def groups(layer: Layer) -> list[tuple[slice, slice]]:
    """Output and input channels of each group."""
    k, c = layer.k // layer.groups, layer.c // layer.groups
    return [(slice(g * k, g * k + k), slice(g * c, g * c + c)) for g in range(layer.groups)]


def layer_fp(network: Network, n: int, parameters: Parameters, x: np.ndarray) -> np.ndarray:
    """Layer n's sums, after ReLU."""
    layer, w, bias = network.layers[n], parameters.weights[n], parameters.biases[n]
    if layer.is_fc:
        out = fp32.fc_fp(x.reshape(-1), w.reshape(layer.k, layer.c), bias,
                         network.vector_order(n)).reshape(layer.k, 1, 1)
    else:
        plane, first = padded(layer, x), fp32.start(bias)
        out = np.concatenate([fp32.conv_fp(np.ascontiguousarray(plane[cs]), w[ks], first[ks],
                                           layer.stride) for ks, cs in groups(layer)])
    return canonical(fp32.relu(out) if layer.relu else out)


def pool_fp(layer: Layer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """The layer's pooling: results and, of max pooling, what was chosen."""
    if layer.pool is None:
        return x, None
    if layer.pool.kind == "max":
        return fp32.max_fp(x, layer.pool.k, layer.pool.s)
    return canonical(fp32.average_fp(x, layer.pool.k, layer.pool.s)), None


def forward(network: Network, parameters: Parameters, x: np.ndarray) -> Instance:
    """FP of one instance: x [C, H, W] (or [J] where the first layer is FC)."""
    one = Instance()
    value = np.ascontiguousarray(x, np.float32)
    for n, layer in enumerate(network.layers):
        one.inputs.append(value)
        sums = layer_fp(network, n, parameters, value)
        value, chosen = pool_fp(layer, sums)
        one.sums.append(sums)
        one.chosen.append(chosen)
    one.output = value
    return one


def loss_error(network: Network, output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The loss's gradient by the output, of its shape; `target` is a vector of its size."""
    y, t = output.reshape(-1), np.asarray(target, np.float32).reshape(-1)
    if network.loss == "softmax":
        shifted = np.exp((y - y.max()).astype(np.float64))
        y = (shifted / shifted.sum()).astype(np.float32)
    return axpy(y, -1.0, t).reshape(output.shape)


def layer_bp(layer: Layer, w: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """The error of the layer's input [C, H, W]."""
    if layer.is_fc:
        out = fp32.fc_bp(delta.reshape(-1), w.reshape(layer.k, layer.c)).reshape(layer.c, 1, 1)
    else:
        out = np.concatenate([fp32.conv_bp(np.ascontiguousarray(delta[ks]), w[ks], layer.stride,
                                           layer.pads[0], layer.pads[2], layer.h, layer.w)
                              for ks, _ in groups(layer)])
    return canonical(out)


def unpool(layer: Layer, error: np.ndarray, sums: np.ndarray,
           chosen: np.ndarray | None) -> np.ndarray:
    """The error of a layer's sums, from that of its pooled output; ReLU's mask last."""
    if layer.pool is not None:
        pool, (_, high, wide) = layer.pool, sums.shape
        error = canonical(fp32.max_bp(error, chosen, pool.k, pool.s, high, wide)
                          if pool.kind == "max"
                          else fp32.average_bp(error, pool.k, pool.s, high, wide))
    if layer.relu:
        error = np.where(sums > 0, error, np.float32(0)).astype(np.float32)
    return error


def backward(network: Network, parameters: Parameters, one: Instance, target: np.ndarray) -> None:
    """BP of one instance: fills `errors`. The first layer's input needs none."""
    error = loss_error(network, one.output, target)
    one.errors = [np.zeros(0, np.float32)] * len(network.layers)
    for n in reversed(range(len(network.layers))):
        layer = network.layers[n]
        one.errors[n] = unpool(layer, error.reshape(one.output.shape if n + 1 == len(
            network.layers) else (layer.k, layer.out_h, layer.out_w)), one.sums[n], one.chosen[n])
        if n:
            error = layer_bp(layer, parameters.weights[n], one.errors[n])


def layer_gd(layer: Layer, gradients: Gradients, n: int, x: np.ndarray,
             delta: np.ndarray) -> None:
    """Adds one instance's gradients of layer n."""
    if layer.is_fc:
        fp32.fc_gd(gradients.weights[n].reshape(layer.k, layer.c), delta.reshape(-1),
                   x.reshape(-1))
        sums = delta.reshape(-1)
    else:
        plane = padded(layer, x)
        parts = [fp32.conv_gd(np.ascontiguousarray(delta[ks]), np.ascontiguousarray(plane[cs]),
                              layer.r, layer.s, layer.stride) for ks, cs in groups(layer)]
        with np.errstate(all="ignore"):
            gradients.weights[n] += np.concatenate(parts)
        sums = fp32.plane_sums(delta)
    if layer.bias:
        with np.errstate(all="ignore"):
            gradients.biases[n] += sums
    canonical(gradients.weights[n])
    canonical(gradients.biases[n])


def update(parameters: Parameters, gradients: Gradients, rate: float, momentum: float) -> None:
    """WU: v ← g + μ·v; w ← w − η·v. `rate` is η, already over the batch."""
    for values, velocities, sums in (
            (parameters.weights, parameters.weight_velocities, gradients.weights),
            (parameters.biases, parameters.bias_velocities, gradients.biases)):
        for n, g in enumerate(sums):
            velocities[n] = axpy(g, momentum, velocities[n])
            values[n] = axpy(values[n], -rate, velocities[n])


def zeros(parameters: Parameters) -> Gradients:
    """Gradients of nothing."""
    return Gradients([np.zeros_like(w) for w in parameters.weights],
                     [np.zeros_like(b) for b in parameters.biases])


def step(network: Network, parameters: Parameters, inputs: np.ndarray, targets: np.ndarray, *,
         rate: float, momentum: float) -> list[Instance]:
    """One batch, changing `parameters`: inputs [N, C, H, W], targets [N, outputs].

    The rate is divided by the batch in fp32, as the compiler does.
    """
    gradients, instances = zeros(parameters), []
    for x, target in zip(inputs, targets, strict=True):
        one = forward(network, parameters, x)
        backward(network, parameters, one, target)
        for n, layer in enumerate(network.layers):
            layer_gd(layer, gradients, n, one.inputs[n], one.errors[n])
        instances.append(one)
    update(parameters, gradients, float(np.float32(rate) / np.float32(len(inputs))), momentum)
    return instances


def loss(network: Network, instances: list[Instance], targets: np.ndarray) -> float:
    """The mean loss, for people: float64."""
    total = 0.0
    for one, target in zip(instances, targets, strict=True):
        y, t = one.output.reshape(-1).astype(np.float64), np.asarray(target, np.float64)
        if network.loss == "softmax":
            total += float(np.log(np.exp(y - y.max()).sum()) + y.max() - (y * t).sum())
        else:
            total += 0.5 * float(((y - t) ** 2).sum())
    return total / len(instances)
