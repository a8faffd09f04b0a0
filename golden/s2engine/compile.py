"""From layers and tensors to passes: compile(layers, tensors, config) -> Work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from golden import outputs as integers
from golden.layers import Layer
from golden.s2engine.plan import Plan, passes
from golden.s2engine.stage import Stage, as_plane, check, stage
from golden.tensors import Tensors
from hw.common.stationary.config import StationaryConfig


@dataclass(frozen=True, kw_only=True)
class Work:
    """Layers, cut into passes: what the array is given."""

    config: StationaryConfig
    layers: tuple[Layer, ...]
    stages: tuple[Stage, ...]
    passes: tuple[Plan, ...]
    chain: bool                 # each layer takes the outputs of the one before


def compile(layers: Layer | Sequence[Layer], tensors: Tensors | Sequence[Tensors],
            config: StationaryConfig, *, chain: bool = True,
            known: Sequence[np.ndarray | None] | None = None) -> Work:
    """The passes that run `layers` (or one layer) one after the other.

    In a `chain` each layer takes the outputs of the one before; else each its own activations.
    `known`: outputs of layers that the caller has computed already; else golden does. Raises
    ValueError, one line naming layer and rule.
    """
    if isinstance(layers, Layer):
        layers = [layers]
    if isinstance(tensors, Tensors):
        tensors = [tensors]
    if not layers:
        raise ValueError("layers must be at least one")
    for layer, given in zip(layers, tensors, strict=True):
        check(layer, given, config)
    stages = _stages(layers, tensors, config, chain, known)
    return Work(config=config, layers=tuple(s.layer for s in stages), stages=tuple(stages),
                passes=tuple(plan for s in stages for plan in passes(s, config)), chain=chain)


def _stages(layers: Sequence[Layer], tensors: Sequence[Tensors], config: StationaryConfig,
            chain: bool, known: Sequence[np.ndarray | None] | None) -> list[Stage]:
    results = integers.outputs(layers, tensors, config.acc_bits, chain=chain, known=known)
    done = [r.layer for r in results]
    takes = [given.activations if n == 0 or not chain else results[n - 1].outputs
             for n, given in enumerate(tensors)]
    makes = [r.outputs for r in results]
    if any(layer.batch > 1 and not as_plane(layer) for layer in done):
        done = [replace(layer, batch=1) for layer in done]
        images = [(list(takes[n].reshape(-1, *layer.activations_shape)),
                   list(makes[n].reshape(-1, *layer.outputs_shape)))
                  for n, layer in enumerate(done)]
    else:
        images = [([takes[n].reshape(layer.activations_shape)],
                   [makes[n].reshape(layer.outputs_shape)]) for n, layer in enumerate(done)]
    stages: list[Stage] = []
    for n, layer in enumerate(done):
        stages.append(stage(n, layer, tensors[n], *images[n],
                            stages[-1] if chain and stages else None))
    return stages
