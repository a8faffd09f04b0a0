"""Outputs of a list of layers, from their tensors alone: never from a Program.

For every design whose sums are integers that wrap at a width: the order of sums does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from golden import layers as arithmetic
from golden.layers import Layer
from golden.tensors import Tensors


def outputs(layers: Sequence[Layer], tensors: Sequence[Tensors], acc_bits: int, *,
            chain: bool = True, allow_overflow: bool = True,
            known: Sequence[np.ndarray | None] | None = None) -> list[arithmetic.Result]:
    """Each layer's result, bit for bit as the hardware writes it.

    In a `chain` a layer takes the outputs of the one before (flattened for an FC layer); else each
    takes its own activations. A shift of None is filled in. Sums wrap at `acc_bits`, or raise
    AccumulatorOverflow without `allow_overflow`. `known`: outputs that are taken as they are (with
    no sums in the result), None where they are to be computed; those layers have their shift.
    """
    out: list[arithmetic.Result] = []
    for n, (layer, given) in enumerate(zip(layers, tensors, strict=True)):
        ready = known[n] if known else None
        if ready is not None and layer.shift is not None:
            ready = ready.reshape(layer.outputs_shape)
            out.append(arithmetic.Result(ready, np.zeros(0, np.int64), layer))
            continue
        inputs = given.activations
        if chain and out:
            inputs = out[-1].outputs.reshape(layer.activations_shape)
        out.append(arithmetic.reference(layer, given.weights, inputs, given.bias, acc_bits,
                                        allow_overflow=allow_overflow))
    return out
