"""Outputs of a list of layers, from their tensors alone: never from a Program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from golden import outputs as integers
from golden.layers import Layer, Result
from golden.tensors import Tensors
from hw.scnn.config import SCNNConfig


def outputs(layers: Sequence[Layer], tensors: Sequence[Tensors], config: SCNNConfig,
            **options: Any) -> list[Result]:
    """Each layer's result; `options` are those of `golden.outputs.outputs`."""
    return integers.outputs(layers, tensors, config.acc_bits, **options)
