"""Outputs of a list of layers, from their tensors alone: never from a Program."""

from __future__ import annotations

from collections.abc import Sequence

from golden import layers as arithmetic
from golden.layers import Layer
from golden.tensors import Tensors
from hw.scnn.config import SCNNConfig


def outputs(layers: Sequence[Layer], tensors: Sequence[Tensors], config: SCNNConfig, *,
            chain: bool = True, allow_overflow: bool = True) -> list[arithmetic.Result]:
    """Each layer's result, bit for bit as the hardware writes it.

    In a `chain` a layer takes the outputs of the one before (flattened for an FC layer); else each
    takes its own activations. A shift of None is filled in. Sums wrap at `acc_bits`, or raise
    AccumulatorOverflow without `allow_overflow`.
    """
    out: list[arithmetic.Result] = []
    for layer, given in zip(layers, tensors, strict=True):
        inputs = given.activations
        if chain and out:
            inputs = out[-1].outputs.reshape(layer.activations_shape)
        out.append(arithmetic.reference(layer, given.weights, inputs, given.bias, config.acc_bits,
                                        allow_overflow=allow_overflow))
    return out
