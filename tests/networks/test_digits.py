"""The digits network: its promises, and the integers against ONNX Runtime's floats."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from golden.layers import reference
from sparseforge.networks import digits
from sparseforge.networks.digits.reader import BadNetwork


@pytest.fixture(scope="module")
def logits():
    """The integer network's logits for every held-out image, [N,10], with 24-bit accumulators."""
    return np.array([run(image) for image in digits.images()[0]])


def run(image):
    layers, weights, biases = digits.load()
    for layer, weight, bias in zip(layers, weights, biases, strict=True):
        image = reference(layer, weight, image, bias, acc_bits=24).outputs
    return image.reshape(-1)


def test_layers_are_those_promised():
    conv1, conv2, fc = digits.load()[0]
    assert (conv1.weights_shape, conv2.weights_shape) == ((16, 1, 3, 3), (32, 16, 3, 3))
    assert fc.weights_shape == (10, 32, 2, 2)
    assert (conv1.outputs_shape, conv2.outputs_shape) == ((16, 4, 4), (32, 2, 2))
    assert fc.outputs_shape == (10, 1, 1)
    assert [layer.relu for layer in (conv1, conv2, fc)] == [True, True, False]
    assert [layer.out_bits for layer in (conv1, conv2, fc)] == [8, 8, 16]


def test_at_least_64_images_of_integers_with_every_digit():
    images, labels = digits.images()
    assert len(images) == len(labels) >= 64
    assert images.shape[1:] == (1, 8, 8)
    assert images.min() >= 0 and images.max() == 16
    assert set(labels.tolist()) == set(range(10))


def test_density_is_at_most_35_percent():
    _, weights, _ = digits.load()
    for weight in weights:
        assert np.count_nonzero(weight) <= 0.35 * weight.size
        assert np.abs(weight).max() <= 127


def test_accuracy_is_within_a_point_of_dense(logits):
    labels, noted = digits.images()[1], digits.metadata()
    assert int(noted["held_out"]) == len(labels)
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    assert accuracy >= float(noted["dense_accuracy"]) - 0.01
    assert f"{accuracy:.6f}" == noted["quantised_accuracy"]


def test_onnx_runtime_gives_the_same_numbers(logits):
    # Without optimisation the floats are those of the graph, exact by the choice of scales; fused
    # 8-bit kernels saturate pairs of products on processors without VNNI.
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(digits.FOLDER / "digits.onnx"), options,
                                           providers=["CPUExecutionProvider"])
    got = session.run(None, {"image": digits.images()[0].astype(np.uint8)})[0]
    model = onnx.load(digits.FOLDER / "digits.onnx")
    scale = next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == "fc_scale")
    assert got.dtype == np.float32
    assert np.array_equal(got / scale, logits)


def broken(tmp_path, change):
    model = onnx.load(digits.FOLDER / "digits.onnx")
    change(model.graph)
    onnx.save(model, tmp_path / "broken.onnx")
    return tmp_path / "broken.onnx"


def test_a_scale_that_is_no_power_of_two_is_refused(tmp_path):
    def change(graph):
        tensor = next(t for t in graph.initializer if t.name == "conv2_scale")
        tensor.CopyFrom(numpy_helper.from_array(np.float32(0.3), "conv2_scale"))
    with pytest.raises(BadNetwork, match="conv2_q: the scale must be one power of two"):
        digits.load(broken(tmp_path, change))


def test_another_operator_is_refused(tmp_path):
    def change(graph):
        graph.node[-1].op_type = "Softmax"
    with pytest.raises(BadNetwork, match="fc_dq: Softmax is not one of this form's"):
        digits.load(broken(tmp_path, change))
