"""A small trainer in NumPy: networks of convolutions, FC layers, ReLU and max pooling.

Made for networks of a few ten thousand synapses, so that pruning with retraining needs nothing
but NumPy. Tensors are float32, ``[N, C, H, W]``. A network is a chain of `golden.layers.Layer`;
their weights are `[K, C, R, S]`, an FC layer takes the plane before it, flattened.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from golden.layers import Layer

SMOOTH = 1e-8
RATE, DECAY, BATCH = 2e-3, 1e-4, 64
Project = Callable[[list[np.ndarray]], list[np.ndarray]]


@dataclass
class Net:
    """Layers with their weights and biases, all float32."""

    layers: Sequence[Layer]
    weights: list[np.ndarray]
    biases: list[np.ndarray]

    def copy(self) -> Net:
        return Net(self.layers, [w.copy() for w in self.weights], [b.copy() for b in self.biases])

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Logits [N, K] of images [N, C, H, W]."""
        return self.stages(x)[-1].reshape(len(x), -1)

    def stages(self, x: np.ndarray) -> list[np.ndarray]:
        """What every layer gives before ReLU and pooling, in order."""
        out = []
        for layer, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            total, _ = _sums(layer, weight, bias, _plane(layer, x))
            out.append(np.moveaxis(total, -1, 1))
            x = np.moveaxis(_after(layer, total), -1, 1)
        return out

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        return float((self.forward(images).argmax(1) == labels).mean())

    def gradients(self, x: np.ndarray, labels: np.ndarray) -> tuple[list[np.ndarray], ...]:
        """Of the mean cross-entropy, with respect to weights and to biases."""
        kept = []
        for layer, weight, bias in zip(self.layers, self.weights, self.biases, strict=True):
            shape = x.shape
            total, columns = _sums(layer, weight, bias, _plane(layer, x))
            after = _after(layer, total)
            kept.append((shape, columns, total, after))
            x = np.moveaxis(after, -1, 1)
        back = _softmax(x.reshape(len(x), -1))
        back[np.arange(len(x)), labels] -= 1
        back = (back / len(x)).reshape(x.shape)
        weights, biases = [], []
        for n, (layer, weight) in reversed(list(enumerate(zip(self.layers, self.weights,
                                                              strict=True)))):
            shape, columns, total, after = kept[n]
            rows = _before(layer, np.moveaxis(back, 1, -1), total, after).reshape(-1, layer.k)
            weights.append(_from_columns(layer, rows.T @ columns))
            biases.append(rows.sum(0))
            if n:
                back = _spread(layer, rows @ _to_columns(weight)).reshape(shape)
        return weights[::-1], biases[::-1]


def initialise(layers: Sequence[Layer], rng: np.random.Generator) -> Net:
    """A fresh network (He's initialisation)."""
    for layer in layers:
        if layer.groups != 1 or layer.stride != 1:
            raise ValueError(f"{layer.name}: only layers of one group and stride 1 are trained")
        if layer.pool is not None and (layer.pool.kind != "max" or layer.pool.pad
                                       or layer.pool.k != layer.pool.s):
            raise ValueError(f"{layer.name}: only max pooling of windows side by side is trained")
    weights = [rng.standard_normal(layer.weights_shape, np.float32)
               * np.float32((2 * layer.k / layer.weight_count) ** 0.5) for layer in layers]
    return Net(layers, weights, [np.zeros(layer.k, np.float32) for layer in layers])


def _plane(layer: Layer, x: np.ndarray) -> np.ndarray:
    """The layer's input [N, C, H, W] as [N, H, W, C], padded."""
    top, bottom, left, right = layer.pads
    x = x.reshape(len(x), layer.c, layer.h, layer.w).transpose(0, 2, 3, 1)
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0))) if any(layer.pads) else x


def _to_columns(weight: np.ndarray) -> np.ndarray:
    """Weights [K, C, R, S] as [K, R·S·C], the order of the columns."""
    return weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)


def _from_columns(layer: Layer, columns: np.ndarray) -> np.ndarray:
    return columns.reshape(layer.k, layer.r, layer.s, layer.c).transpose(0, 3, 1, 2)


def _sums(layer: Layer, weight: np.ndarray, bias: np.ndarray,
          x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums [N, Ho, Wo, K], and the inputs as columns [N·Ho·Wo, R·S·C]."""
    parts = [x[:, dy:dy + layer.ho, dx:dx + layer.wo] for dy in range(layer.r)
             for dx in range(layer.s)]
    columns = np.concatenate(parts, -1).reshape(-1, layer.r * layer.s * layer.c)
    total = columns @ _to_columns(weight).T + bias
    return total.reshape(len(x), layer.ho, layer.wo, layer.k), columns


def _spread(layer: Layer, columns: np.ndarray) -> np.ndarray:
    """Slopes of the columns, added up to those of the inputs [N, C, H, W]."""
    parts = columns.reshape(-1, layer.ho, layer.wo, layer.r * layer.s, layer.c)
    top, bottom, left, right = layer.pads
    out = np.zeros((len(parts), layer.h + top + bottom, layer.w + left + right, layer.c),
                   columns.dtype)
    for n in range(layer.r * layer.s):
        y, x = divmod(n, layer.s)
        out[:, y:y + layer.ho, x:x + layer.wo] += parts[:, :, :, n]
    return out[:, top:top + layer.h, left:left + layer.w].transpose(0, 3, 1, 2)


def _corners(layer: Layer, x: np.ndarray) -> list[np.ndarray]:
    """Of [N, Ho, Wo, K] the k·k places of all pooling windows, each [N, out_h, out_w, K]."""
    assert layer.pool is not None
    k, h, w = layer.pool.k, layer.out_h, layer.out_w
    return [x[:, dy:h * k:k, dx:w * k:k] for dy in range(k) for dx in range(k)]


def _after(layer: Layer, total: np.ndarray) -> np.ndarray:
    """ReLU and pooling of [N, Ho, Wo, K]."""
    x = np.maximum(total, 0) if layer.relu else total
    return functools.reduce(np.maximum, _corners(layer, x)) if layer.pool else x


def _before(layer: Layer, back: np.ndarray, total: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Slopes [N, …, K] of a layer's result as those of its sums. A window's first maximum wins."""
    if layer.pool:
        out, free = np.zeros_like(total), np.ones(after.shape, bool)
        for place, value in zip(_corners(layer, out), _corners(layer, total), strict=True):
            here = (value == after) & free
            place[...] = back * here
            free &= ~here
        back = out
    return back * (total > 0) if layer.relu else back


def _softmax(logits: np.ndarray) -> np.ndarray:
    power = np.exp(logits - logits.max(1, keepdims=True))
    return power / power.sum(1, keepdims=True)


class _Adam:
    """Adam with weight decay towards 0, of a list of tensors."""

    def __init__(self, tensors: Sequence[np.ndarray]) -> None:
        self.mean = [np.zeros_like(t) for t in tensors]
        self.square = [np.zeros_like(t) for t in tensors]
        self.steps = 0

    def step(self, tensors: Sequence[np.ndarray], slopes: Sequence[np.ndarray],
             rate: float) -> None:
        """Moves the tensors, in place."""
        self.steps += 1
        rate *= (1 - 0.999**self.steps) ** 0.5 / (1 - 0.9**self.steps)
        for value, slope, mean, square in zip(tensors, slopes, self.mean, self.square,
                                              strict=True):
            slope = slope + np.float32(DECAY) * value
            mean += np.float32(0.1) * (slope - mean)
            square += np.float32(0.001) * (slope * slope - square)
            value -= np.float32(rate) * mean / (np.sqrt(square) + np.float32(SMOOTH))


def train(net: Net, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, *,
          epochs: int, rate: float = RATE, project: Project | None = None,
          shift: bool = True) -> Net:
    """The network after `epochs` (Adam, the rate falling to a twentieth along a cosine).

    `project` is applied to the weights after every step: masks, tied clusters. With `shift`, each
    image is moved by at most one pixel in each direction, anew in every epoch.
    """
    # The matrices are small: threads would only wait for each other, and sum otherwise.
    with threadpool_limits(1):
        return _train(net.copy(), images, labels, rng, epochs, rate, project, shift)


def _train(net: Net, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator,
           epochs: int, rate: float, project: Project | None, shift: bool) -> Net:
    count = len(net.weights)
    if project is not None:
        net.weights = project(net.weights)
    adam = _Adam([*net.weights, *net.biases])
    for epoch in range(epochs):
        wave = (1 + np.cos(np.pi * epoch / epochs)) / 2
        now = rate * (wave + (1 - wave) / 20)
        order = rng.permutation(len(images))
        moved = _shifted(images, rng) if shift else images
        for at in range(0, len(order), BATCH):
            batch = order[at:at + BATCH]
            slopes: Any = net.gradients(moved[batch], labels[batch])
            adam.step([*net.weights, *net.biases], [*slopes[0], *slopes[1]], now)
            if project is not None:
                net.weights = project(net.weights)
                assert len(net.weights) == count
    return net


def _shifted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image moved by -1, 0 or 1 pixels each way, zeros following on."""
    n, _, h, w = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    dy, dx = rng.integers(0, 3, (2, n))
    rows = (np.arange(h) + dy[:, None])[:, None, :, None]
    cols = (np.arange(w) + dx[:, None])[:, None, None, :]
    return padded[np.arange(n)[:, None, None, None], np.arange(images.shape[1])[:, None, None],
                  rows, cols]
