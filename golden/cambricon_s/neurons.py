# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section II-B: static neuron sparsity.
"""Static neuron sparsity: neurons left without synapses go, and what hung on them goes too.

An output neuron (a convolution's feature map) without input synapses gives 0 once its bias is
taken away, since ReLU, rounding and pooling all keep 0; the synapses that read it may go. A neuron
that nobody reads needs no synapses of its own. Both are repeated until nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Alive:
    """What is left. `masks` as given, less what hung on dead neurons.

    `neurons`: bool arrays, the network's inputs and then every layer's outputs, [K] each. The
    last layer's outputs all stay. A bias of a neuron that is not alive must be 0.
    """

    masks: list[np.ndarray]
    neurons: list[np.ndarray]

    @property
    def density(self) -> list[float]:
        """Share of the neurons alive, inputs first."""
        return [float(n.mean()) for n in self.neurons]


def remove_dead(masks: Sequence[np.ndarray], groups: Sequence[int] | None = None) -> Alive:
    """Masks ``[K, C/groups, R, S]`` of layers in a chain, without dead neurons.

    A layer may have a multiple of its predecessor's outputs as inputs (a plane that was flattened,
    channel by channel): each of them belongs to one output. ValueError if they do not fit.
    """
    left = [mask.copy() for mask in masks]
    parts = list(groups) if groups is not None else [1] * len(left)
    while True:
        before = sum(int(mask.sum()) for mask in left)
        neurons = _alive(left, parts)
        for n, mask in enumerate(left):
            _cut(mask, parts[n], neurons[n], neurons[n + 1])
        if sum(int(mask.sum()) for mask in left) == before:
            return Alive(left, neurons)


def _inputs(mask: np.ndarray, groups: int) -> np.ndarray:
    """Which input channels have synapses, bool [C]."""
    k, depth = mask.shape[:2]
    return mask.reshape(groups, k // groups, depth, -1).any((1, 3)).reshape(-1)


def _alive(masks: list[np.ndarray], groups: list[int]) -> list[np.ndarray]:
    neurons = [_inputs(masks[0], groups[0])]
    for n, mask in enumerate(masks):
        fed = np.asarray(mask.any((1, 2, 3)))
        if n + 1 == len(masks):
            return [*neurons, np.ones(len(mask), bool)]
        read = _inputs(masks[n + 1], groups[n + 1])
        if len(read) % len(fed):
            raise ValueError(f"layer {n + 1}: its inputs ({len(read)}) must be a multiple of layer "
                             f"{n}'s outputs ({len(fed)})")
        neurons.append(fed & read.reshape(len(fed), -1).any(1))
    return neurons


def _cut(mask: np.ndarray, groups: int, inputs: np.ndarray, outputs: np.ndarray) -> None:
    """Takes the synapses of dead neurons out of a mask, in place."""
    k, depth = mask.shape[:2]
    mask[~outputs] = False
    there = np.repeat(inputs, depth * groups // len(inputs)).reshape(groups, 1, depth, 1, 1)
    mask.reshape(groups, k // groups, depth, *mask.shape[2:])[...] &= there


def shrink(weights: np.ndarray, inputs: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """The weights ``[K, C, R, S]`` of a layer without groups, without its dead neurons."""
    there = np.repeat(inputs, weights.shape[1] // len(inputs))
    return weights[outputs][:, there]
