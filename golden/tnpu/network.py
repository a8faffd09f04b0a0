"""A network as TNPU trains it: convolutional layers, then fully connected ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from golden.layers import Layer
from golden.tnpu.arithmetic import BLOCK

Loss = Literal["mse", "softmax"]


@dataclass(frozen=True)
class Network:
    """Layers in order, conv before FC; the first FC takes the last plane, flattened [C, H, W].

    `loss`: ``mse`` is formed on chip (δ = y − t), ``softmax`` by the host.
    """

    layers: tuple[Layer, ...]
    loss: Loss = "mse"

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("a network must have at least one layer")
        plane: tuple[int, int, int] | None = None
        vector = False
        for n, layer in enumerate(self.layers):
            self._check_layer(layer)
            if plane is not None:
                values = plane[0] * plane[1] * plane[2]
                fits = layer.c == values if layer.is_fc else (layer.c, layer.h, layer.w) == plane
                if not fits or (vector and not layer.is_fc):
                    raise ValueError(f"{layer.name}: its input must be what "
                                     f"{self.layers[n - 1].name} gives, {list(plane)}")
            vector = vector or layer.is_fc
            plane = (layer.k, layer.out_h, layer.out_w)

    @staticmethod
    def _check_layer(layer: Layer) -> None:
        if layer.batch != 1:
            raise ValueError(f"{layer.name}: training takes the batch by itself, the layer must "
                             f"have batch 1, not {layer.batch}")
        sides = layer.c // layer.groups, layer.k // layer.groups
        if layer.groups > 1 and (sides[0] % BLOCK or sides[1] % BLOCK):
            raise ValueError(f"{layer.name}: a group must have a multiple of {BLOCK} channels on "
                             f"both sides, not {sides[0]} and {sides[1]}")
        pool = layer.pool
        if pool and (pool.pad or pool.overhang(layer.ho) or pool.overhang(layer.wo)):
            raise ValueError(f"{layer.name}: pooling windows must lie inside the plane")
        if pool and layer.is_fc:
            raise ValueError(f"{layer.name}: an FC layer cannot be pooled")

    @property
    def convs(self) -> int:
        """How many layers are convolutions."""
        return sum(not layer.is_fc for layer in self.layers)

    def vector_layout(self, n: int) -> np.ndarray:
        """Which input of layer n, an FC layer, lies at each place of its vector; -1 where none
        does (channels beyond a plane's). int64."""
        layer = self.layers[n]
        before = self.layers[n - 1] if n else None
        if before is None or before.is_fc:
            return np.arange(layer.c)
        channels = -(-before.k // BLOCK) * BLOCK
        index = np.full((channels, before.out_h * before.out_w), -1)
        index[:before.k] = np.arange(layer.c).reshape(before.k, -1)
        return np.concatenate([index[c:c + BLOCK].T.reshape(-1)
                               for c in range(0, channels, BLOCK)])

    def vector_order(self, n: int) -> np.ndarray:
        """In which order layer n, an FC layer, adds up its inputs: int64 [J]."""
        layout = self.vector_layout(n)
        return layout[layout >= 0]


@dataclass
class Parameters:
    """What training changes, per layer: weights [K, C/groups, R, S] and biases [K] with their
    velocities; float32."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    weight_velocities: list[np.ndarray]
    bias_velocities: list[np.ndarray]

    def copy(self) -> Parameters:
        return Parameters(*([value.copy() for value in values] for values in (
            self.weights, self.biases, self.weight_velocities, self.bias_velocities)))

    def arrays(self) -> list[np.ndarray]:
        return [*self.weights, *self.biases, *self.weight_velocities, *self.bias_velocities]

    def flat(self) -> np.ndarray:
        """All of them in one array."""
        return np.concatenate([value.reshape(-1) for value in self.arrays()])


def initial(network: Network, seed: int = 0) -> Parameters:
    """Uniform weights in ±sqrt(3 / fan in) (LeCun), biases and velocities of 0; seeded."""
    rng = np.random.default_rng(seed)
    weights = []
    for layer in network.layers:
        limit = (3 / (layer.weight_count // layer.k)) ** 0.5
        weights.append(rng.uniform(-limit, limit, layer.weights_shape).astype(np.float32))
    biases = [np.zeros(layer.k, np.float32) for layer in network.layers]
    return Parameters(weights, biases, [np.zeros_like(w) for w in weights],
                      [np.zeros_like(b) for b in biases])


def unfold(network: Network) -> Network:
    """The same network with a first convolution of few channels as a 1 × 1 one on its windows.

    Channel (c, r, s) of the new input is what tap (r, s) sees of channel c: the host's work, once
    per image. Then one to three colours fill the rows of PU-c.
    """
    layer = network.layers[0]
    if layer.is_fc or layer.r * layer.s == 1 or layer.groups > 1:
        return network
    first = replace(layer, c=layer.c * layer.r * layer.s, h=layer.ho, w=layer.wo, r=1, s=1,
                    stride=1, pad=0)
    return Network((first, *network.layers[1:]), network.loss)


def unfold_input(layer: Layer, x: np.ndarray) -> np.ndarray:
    """The input [C, H, W] as the unfolded layer takes it, [C·R·S, Ho, Wo]."""
    top, bottom, left, right = layer.pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (layer.r, layer.s), (1, 2))
    windows = windows[:, ::layer.stride, ::layer.stride]
    return np.ascontiguousarray(windows.transpose(0, 3, 4, 1, 2)
                                ).reshape(-1, layer.ho, layer.wo)
