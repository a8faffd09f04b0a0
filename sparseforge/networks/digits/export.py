"""Write the quantised digits network as ONNX.

The graph is in quantise/dequantise form (opset 21), which any ONNX runtime reads:

    image [N,1,8,8] uint8 → DequantizeLinear(2^-4)
    conv1: Conv(int8 weights → DequantizeLinear, int32 bias → DequantizeLinear)
           → QuantizeLinear(int8) → DequantizeLinear → Relu → MaxPool 2×2
    conv2: the same
    fc:    Flatten → Gemm → QuantizeLinear(int16) → DequantizeLinear → logits [N,10]

Every scale is a power of two and every zero point is 0. A float32 run is therefore exact (an
accumulator stays below 2^24 units of its scale), and ``QuantizeLinear`` after a layer *is* the
hardware's ``saturate(round_half_even(acc / 2^shift))`` with ``shift`` = fraction bits of the input
+ of the weights − of the output. A bias is in units of the accumulator.

Gemm over the flattened [32,2,2] plane is a convolution with a 2×2 kernel over that 2×2 plane:
Flatten puts channel c, row y, column x at 4c + 2y + x, just as ``weights.reshape(10, 32, 2, 2)``
does.
"""

import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sparseforge.networks.digits.reader import accuracy

INT_TYPES = {8: np.int8, 16: np.int16}


class _Graph:
    """Nodes and initialisers as they are added, each in one line."""

    def __init__(self):
        self.nodes, self.initializers = [], []

    def const(self, name, array):
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, inputs, output, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def scale(self, name, frac):
        return self.const(name, np.float32(2.0**-frac))

    def dequantise(self, name, array, frac):
        stored = self.const(f"{name}_int", array)
        return self.node("DequantizeLinear", [stored, self.scale(f"{name}_scale", frac)], name)

    def requantise(self, value, layer):
        scale = self.scale(f"{layer.name}_scale", layer.out_frac)
        zero = self.const(f"{layer.name}_zero", INT_TYPES[layer.out_bits](0))
        stored = self.node("QuantizeLinear", [value, scale, zero], f"{layer.name}_q")
        return self.node("DequantizeLinear", [stored, scale, zero], f"{layer.name}_dq")


def _operands(graph, value, layer):
    weights = graph.dequantise(f"{layer.name}_weights", layer.weights, layer.weight_frac)
    bias = graph.dequantise(f"{layer.name}_bias", layer.bias, layer.in_frac + layer.weight_frac)
    return [value, weights, bias]


def build(convs, fc, metadata):
    """The ONNX model of ``convs`` (each 3×3, padding 1, ReLU, max pooling 2×2) and ``fc``.

    ``metadata``: str → str, kept in the file. Raises onnx.checker.ValidationError on a bad graph.
    """
    graph = _Graph()
    scale = graph.scale("image_scale", convs[0].in_frac)
    value = graph.node("DequantizeLinear", ["image", scale], "image_dq")
    for layer in convs:
        value = graph.node("Conv", _operands(graph, value, layer), f"{layer.name}_acc",
                           kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
        value = graph.node("Relu", [graph.requantise(value, layer)], f"{layer.name}_relu")
        value = graph.node("MaxPool", [value], f"{layer.name}_pool", kernel_shape=[2, 2],
                           strides=[2, 2])
    value = graph.node("Flatten", [value], "flat", axis=1)
    value = graph.node("Gemm", _operands(graph, value, fc), f"{fc.name}_acc", transB=1)
    logits = graph.requantise(value, fc)
    graph_proto = helper.make_graph(
        graph.nodes, "digits",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["n", fc.weights.shape[0]])],
        graph.initializers)
    model = helper.make_model(graph_proto, opset_imports=[helper.make_opsetid("", 21)],
                              ir_version=10, producer_name="sparseforge")
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


def write(path, data):
    """Put ``data`` (bytes) at ``path``: to a temporary name beside it, then renamed."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


def save(path, layers, notes):
    """Writes ``layers`` (the last one FC) as ``path``, with ``notes`` and the share of held-out
    images that the integers classify right; returns that share. ValueError if it has no folder."""
    if not Path(path).absolute().parent.is_dir():
        raise ValueError(f"{path}: must be in a folder that exists")
    *convs, fc = layers
    reached = accuracy(build(convs, fc, notes).graph)
    model = build(convs, fc, notes | {"quantised_accuracy": f"{reached:.6f}"})
    write(path, model.SerializeToString())
    return reached
