"""What was trained in fp32, quantised, in the form of ``digits.onnx``: the other designs run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from golden.tnpu import train
from golden.tnpu.network import Parameters
from sparseforge.networks.digits.export import save
from sparseforge.networks.digits.quantise import QuantisedLayer, quantise
from sparseforge.training import digits


def integers(parameters: Parameters) -> list[QuantisedLayer]:
    """`parameters` in integers; the ranges of the outputs are those of training images."""
    net = digits.network()
    training, _ = digits.load()
    seen = [train.forward(net, parameters, x).sums for x in training.images[:200]]
    largest = [max(float(np.abs(sums[n]).max()) for sums in seen) for n in range(len(net.layers))]
    return quantise((layer.name, weights[:, :, 0, 0] if layer.is_fc else weights, bias, most)
                    for layer, weights, bias, most in zip(
                        net.layers, parameters.weights, parameters.biases, largest, strict=True))


def write(path: Path, parameters: Parameters, accuracy: float, seed: int) -> dict[str, Any]:
    """Writes the file. Returns the accuracy before and after quantisation, both held out."""
    after = save(path, integers(parameters), {
        "trained_by": "sparseforge train tnpu", "seed": str(seed),
        "float_accuracy": f"{accuracy:.6f}"})
    return {"file": str(path), "accuracy": after, "float_accuracy": accuracy}
