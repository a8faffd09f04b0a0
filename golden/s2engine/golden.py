"""The outputs of S² Engine, from tensors alone."""

from __future__ import annotations

from collections.abc import Sequence

from golden import layers as arithmetic
from golden import outputs as integers
from golden.layers import Layer
from golden.tensors import Tensors
from hw.common.stationary.config import StationaryConfig


def outputs(layers: Sequence[Layer], tensors: Sequence[Tensors], config: StationaryConfig, *,
            chain: bool = True) -> list[arithmetic.Result]:
    """Each layer's result; sums wrap at acc_bits. See `golden.outputs.outputs`."""
    return integers.outputs(layers, tensors, config.acc_bits, chain=chain)
