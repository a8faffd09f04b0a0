"""What was trained in fp32, quantised, in the form of ``digits.onnx``: the other designs run it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from golden.layers import reference
from golden.tnpu import train
from golden.tnpu.network import Parameters
from sparseforge.networks.digits.export import QuantisedLayer, build
from sparseforge.networks.digits.export import write as write_file
from sparseforge.training import digits

WEIGHT_BITS = 8
OUT_BITS = (8, 8, 16)
IMAGE_FRAC = 4          # pixels 0 to 16 mean 0 to 1


def _frac(values: np.ndarray, bits: int) -> int:
    """Fraction bits with which the largest value still fits."""
    largest = float(np.abs(values).max()) or 1.0
    return int(np.floor(np.log2((2**(bits - 1) - 1) / largest)))


def quantise(parameters: Parameters) -> list[QuantisedLayer]:
    """Symmetric, a power of two per tensor, as `digits.onnx` is; outputs by the training images."""
    net = digits.network()
    training, _ = digits.load()
    seen = [train.forward(net, parameters, x).sums for x in training.images[:200]]
    out, in_frac = [], IMAGE_FRAC
    for n, layer in enumerate(net.layers):
        weight_frac = _frac(parameters.weights[n], WEIGHT_BITS)
        most = np.array([float(np.abs(sums[n]).max()) for sums in seen])
        out_frac = min(in_frac + weight_frac, _frac(most, OUT_BITS[n]))
        weights = np.rint(parameters.weights[n].astype(np.float64) * 2.0**weight_frac)
        bias = np.rint(parameters.biases[n].astype(np.float64) * 2.0**(in_frac + weight_frac))
        shaped = weights.astype(np.int8)
        out.append(QuantisedLayer(layer.name, shaped.reshape(shaped.shape[:2]) if layer.is_fc
                                  else shaped, bias.astype(np.int32), in_frac, weight_frac,
                                  out_frac, OUT_BITS[n]))
        in_frac = out_frac
    return out


def write(path: Path, parameters: Parameters, accuracy: float, seed: int) -> dict[str, Any]:
    """Writes the file. Returns the accuracy before and after quantisation, both held out."""
    *convs, fc = quantise(parameters)
    after = quantised_accuracy([*convs, fc])
    model = build(convs, fc, {
        "trained_by": "sparseforge train tnpu", "seed": str(seed),
        "float_accuracy": f"{accuracy:.6f}", "quantised_accuracy": f"{after:.6f}"})
    if not path.absolute().parent.is_dir():
        raise ValueError(f"--export {path}: must be in a folder that exists")
    write_file(path, model.SerializeToString())
    return {"file": str(path), "accuracy": after, "float_accuracy": accuracy}


def quantised_accuracy(layers: list[QuantisedLayer]) -> float:
    """Share of the held-out images that the integers classify right."""
    net = digits.network()
    _, held_out = digits.load()
    right = 0
    for image, label in zip(held_out.images, held_out.labels, strict=True):
        x = np.rint(image * 16).astype(np.int64)
        for layer, quantised in zip(net.layers, layers, strict=True):
            integer = replace(layer, shift=quantised.shift, out_bits=quantised.out_bits)
            x = reference(integer, quantised.weights.astype(np.int64).reshape(layer.weights_shape),
                          x.reshape(layer.activations_shape), quantised.bias.astype(np.int64)
                          ).outputs
        right += int(x.argmax()) == label
    return right / len(held_out.labels)
