"""``digits.onnx``, or another file of its form, as layers and integer tensors; and the images.

The form is described in `sparseforge.networks.digits.export`. Reading needs ``onnx`` alone.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from golden.layers import Layer, Pool, reference
from sparseforge.networks.digits.quantise import QuantisedLayer

FOLDER = Path(__file__).parent
SHIPPED = FOLDER / "digits.onnx"
IMAGE = (1, 8, 8)       # [C,H,W] of the digits
OUT_BITS = {np.dtype(np.int8): 8, np.dtype(np.int16): 16}


class BadNetwork(ValueError):
    """The file is not of the form that is read here; the message names the node and the rule."""


@dataclass
class _Value:
    """What a name of the graph stands for: integers / 2^frac, of a shape or with stored data."""

    frac: int
    shape: tuple[int, int, int] | None = None    # of an activation, [C,H,W]
    data: np.ndarray | None = None               # of a constant


class _Reader:
    """Walks the nodes in order, gathering a Layer per Conv or Gemm."""

    def __init__(self, graph):
        self.data = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        name = graph.input[0].name
        self.image_shape = tuple(d.dim_value for d in
                                 graph.input[0].type.tensor_type.shape.dim)[1:]
        self.values = {name: _Value(0, self.image_shape)}
        self.fields, self.weights, self.biases, self.fracs = [], [], [], []
        for node in graph.node:
            reader = getattr(self, f"_{node.op_type.lower()}", None)
            if reader is None:
                raise BadNetwork(f"node {node.name}: {node.op_type} is not one of this form's")
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            self.values[node.output[0]] = reader(node, attributes)

    def layers(self):
        return [Layer(**fields) for fields in self.fields]

    def _frac(self, node):
        """Fraction bits of a node's scale, which must be one power of two; zero point 0."""
        scale = self.data[node.input[1]]
        zero = self.data[node.input[2]] if len(node.input) > 2 else np.int8(0)
        mantissa, exponent = np.frexp(scale)
        if scale.shape or mantissa != 0.5 or np.any(zero != 0):
            raise BadNetwork(f"node {node.name}: the scale must be one power of two and the zero "
                             f"point 0, not {scale} and {zero}")
        return 1 - int(exponent)

    def _dequantizelinear(self, node, attributes):
        frac, source = self._frac(node), node.input[0]
        if source in self.data:
            return _Value(frac, data=self.data[source])
        return _Value(frac, self.values[source].shape)

    def _conv(self, node, attributes):
        pads = tuple(attributes.get("pads", (0, 0, 0, 0)))
        strides = set(attributes.get("strides", (1, 1)))
        if len(strides) != 1 or set(attributes.get("dilations", (1,))) != {1}:
            raise BadNetwork(f"node {node.name}: strides must be equal and dilations 1")
        top, left, bottom, right = pads
        return self._layer(node, self.values[node.input[1]].data, stride=strides.pop(),
                           pad=(top, bottom, left, right), groups=attributes.get("group", 1))

    def _gemm(self, node, attributes):
        if attributes.get("transB", 0) != 1 or attributes.get("transA", 0) != 0:
            raise BadNetwork(f"node {node.name}: Gemm must have transB = 1 and transA = 0")
        shape = self.values[node.input[0]].shape
        # Flatten's order is [C,H,W]: Gemm is a convolution whose kernel is the whole plane.
        return self._layer(node, self.values[node.input[1]].data.reshape(-1, *shape))

    def _layer(self, node, weights, **fields):
        source, weight, bias = (self.values[name] for name in node.input)
        if bias.frac != source.frac + weight.frac:
            raise BadNetwork(f"node {node.name}: the bias must be in units of the accumulator")
        c, h, w = source.shape
        k, _, r, s = weights.shape
        self.fields.append({"name": node.name.removesuffix("_acc"), "c": c, "h": h, "w": w, "k": k,
                            "r": r, "s": s, "bias": True, **fields})
        self.weights.append(weights.astype(np.int64))
        self.biases.append(bias.data.astype(np.int64))
        self.fracs.append({"in_frac": source.frac, "weight_frac": weight.frac})
        last = Layer(**self.fields[-1])
        return _Value(bias.frac, (k, last.ho, last.wo))

    def _quantizelinear(self, node, attributes):
        frac, source = self._frac(node), self.values[node.input[0]]
        bits = OUT_BITS[self.data[node.input[2]].dtype]
        if source.frac < frac:
            raise BadNetwork(f"node {node.name}: the shift must be at least 0, "
                             f"not {source.frac - frac}")
        self.fields[-1].update(shift=source.frac - frac, out_bits=bits)
        self.fracs[-1].update(out_frac=frac, out_bits=bits)
        return _Value(frac, source.shape)

    def _relu(self, node, attributes):
        self.fields[-1]["relu"] = True
        return self.values[node.input[0]]

    def _maxpool(self, node, attributes):
        (k, across), (s, _) = attributes["kernel_shape"], attributes["strides"]
        if k != across or set(attributes.get("pads", (0,))) != {0}:
            raise BadNetwork(f"node {node.name}: the window must be square and not padded")
        self.fields[-1]["pool"] = Pool(kind="max", k=k, s=s)
        last, source = Layer(**self.fields[-1]), self.values[node.input[0]]
        return _Value(source.frac, (last.k, last.out_h, last.out_w))

    def _flatten(self, node, attributes):
        return self.values[node.input[0]]


def _read(path):
    """A `_Reader` that is through a file; BadNetwork if it is none of this form."""
    try:
        model = onnx.load(path)
    except (OSError, DecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not ONNX"
        raise BadNetwork(f"{path}: must be a readable ONNX file: {reason}") from None
    try:
        reader = _Reader(model.graph)
    except BadNetwork as error:
        raise BadNetwork(f"{path}: {error}") from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise BadNetwork(f"{path}: must be a network as `train --export` writes it") from None
    if reader.image_shape != IMAGE or not reader.fields:
        raise BadNetwork(f"{path}: must take images {list(IMAGE)}, "
                         f"not {list(reader.image_shape)}, through at least one layer")
    return reader


def load(path=SHIPPED):
    """(layers, weights, biases), three lists of one entry per layer, in order.

    ``layers``: `golden.layers.Layer`, with shift, out_bits, relu and pool set. ``weights``: int64
    [K,C,R,S] of 8-bit values. ``biases``: int64 [K], in units of the accumulator. The FC layer
    comes as a convolution whose 2×2 kernel covers its 2×2 plane. BadNetwork for another form.
    """
    reader = _read(path)
    return reader.layers(), reader.weights, reader.biases


def quantised(path=SHIPPED):
    """The layers as `QuantisedLayer`, as they were when the file was written."""
    reader = _read(path)
    return [QuantisedLayer(
        layer.name, (w if layer.relu else w.reshape(layer.k, -1)).astype(np.int8),
        bias.astype(np.int32), **fracs) for layer, w, bias, fracs in
        zip(reader.layers(), reader.weights, reader.biases, reader.fracs, strict=True)]


def accuracy(graph, acc_bits=32):
    """Share of the held-out images that the integers of a graph classify right."""
    reader, (x, labels) = _Reader(graph), images()
    for layer, weight, bias in zip(reader.layers(), reader.weights, reader.biases, strict=True):
        layer = replace(layer, batch=len(labels))
        x = reference(layer, weight, x.reshape(layer.activations_shape), bias, acc_bits).outputs
    return float((x.reshape(len(labels), -1).argmax(1) == labels).mean())


def metadata(path=SHIPPED):
    """What training noted in the file, str → str: accuracies over the held-out images, seed."""
    return {p.key: p.value for p in onnx.load(path, load_external_data=False).metadata_props}


def images(path=FOLDER / "digits_test.npz"):
    """(images, labels), by default those never trained on.

    int64 [N,1,8,8] of 0…16, and int64 [N] of 0…9."""
    with np.load(path, allow_pickle=False) as stored:
        return (stored["images"].astype(np.int64)[:, None], stored["labels"].astype(np.int64))


def training_images():
    """(images, labels) of the other two thirds: int64 [N,1,8,8] of 0…16, and int64 [N]."""
    return images(FOLDER / "digits_train.npz")
