"""golden's training: against exact integers, against an independent float64 gradient, directed."""

import numpy as np
import pytest

from golden.layers import Layer, Pool, sums
from golden.tnpu import arithmetic as fp32
from golden.tnpu import train
from golden.tnpu.network import Network, initial


def conv(c, h, w, k, r, s, **rest):
    return Layer(name="conv", c=c, h=h, w=w, k=k, r=r, s=s, **rest)


SHAPES = [conv(3, 7, 9, 5, 3, 2, pad=1, bias=True), conv(20, 8, 6, 18, 3, 3, stride=2, pad=1),
          conv(1, 11, 12, 4, 5, 4, stride=3, pad=(2, 1, 0, 3), bias=True), conv(33, 4, 4, 7, 1, 1),
          conv(32, 6, 6, 32, 3, 3, groups=2, pad=1), conv(2, 9, 9, 3, 2, 3, stride=4)]


@pytest.mark.parametrize("layer", SHAPES)
def test_integers_are_exact(layer):
    """Integers with sums below 2^24: fp32 in any order is the int64 convolution."""
    rng = np.random.default_rng(1)
    x = rng.integers(-9, 10, layer.activations_shape)
    w = rng.integers(-9, 10, layer.weights_shape)
    bias = rng.integers(-99, 100, layer.k) if layer.bias else np.zeros(layer.k, int)
    network = Network((layer,))
    parameters = initial(network)
    parameters.weights[0], parameters.biases[0] = w.astype(np.float32), bias.astype(np.float32)
    out = train.forward(network, parameters, x.astype(np.float32)).output
    assert np.array_equal(out, sums(layer, w, x, bias if layer.bias else None))

    delta = rng.integers(-5, 6, layer.sums_shape)
    dx, dw = integer_gradients(layer, x, w, delta)
    got = train.layer_bp(layer, parameters.weights[0], delta.astype(np.float32))
    assert np.array_equal(got, dx)
    gradients = train.zeros(parameters)
    train.layer_gd(layer, gradients, 0, x.astype(np.float32), delta.astype(np.float32))
    assert np.array_equal(gradients.weights[0], dw)
    assert np.array_equal(gradients.biases[0], delta.sum((1, 2)) * layer.bias)


def integer_gradients(layer, x, w, delta):
    """Scattered, the way of the definition: every product of the forward pass, taken back."""
    top, _, left, _ = layer.pads
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    per_k, per_c = layer.k // layer.groups, layer.c // layer.groups
    for k, y, p in np.ndindex(*delta.shape):
        for c, r, s in np.ndindex(*w.shape[1:]):
            channel = k // per_k * per_c + c
            row, col = y * layer.stride + r - top, p * layer.stride + s - left
            if 0 <= row < layer.h and 0 <= col < layer.w:
                dx[channel, row, col] += w[k, c, r, s] * delta[k, y, p]
                dw[k, c, r, s] += x[channel, row, col] * delta[k, y, p]
    return dx, dw


def test_an_order_that_differs_is_seen():
    """The sums depend on the order of the channels: 16 and then the taps."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((20, 5, 5)).astype(np.float32)
    w = rng.standard_normal((1, 20, 3, 3)).astype(np.float32)
    expected = np.float32(0)
    for block in (range(16), range(16, 20)):
        for r, s in np.ndindex(3, 3):
            for c in block:
                expected = np.float32(expected + np.float32(w[0, c, r, s] * x[c, r, s]))
    got = fp32.conv_fp(x, w, np.zeros(1, np.float32), 1)
    assert got[0, 0, 0] == expected
    other = fp32.conv_fp(x[::-1].copy(), w[:, ::-1].copy(), np.zeros(1, np.float32), 1)
    assert not np.array_equal(got, other)


NETWORK = Network((
    conv(2, 9, 8, 5, 3, 3, pad=1, bias=True, relu=True, pool=Pool(kind="max", k=3, s=2)),
    conv(5, 4, 3, 6, 2, 2, stride=2, pad=1, bias=True, relu=True,
         pool=Pool(kind="avg", k=2, s=1)),
    Layer.fc("fc1", 12, 7, bias=True, relu=True), Layer.fc("fc2", 7, 3, bias=True)))


def float64_loss(network, weights, biases, x, target):
    """The loss in float64, written independently: gathered windows, library sums."""
    for layer, w, b in zip(network.layers, weights, biases, strict=True):
        if layer.is_fc:
            x = (w.reshape(layer.k, -1) @ x.reshape(-1) + b).reshape(-1, 1, 1)
        else:
            top, bottom, left, right = layer.pads
            x = np.pad(x, ((0, 0), (top, bottom), (left, right)))
            view = np.lib.stride_tricks.sliding_window_view(x, (layer.r, layer.s), (1, 2))
            view = view[:, ::layer.stride, ::layer.stride]
            x = np.einsum("cyxrs,kcrs->kyx", view, w) + b[:, None, None]
        if layer.relu:
            x = np.maximum(x, 0)
        if layer.pool:
            view = np.lib.stride_tricks.sliding_window_view(x, (layer.pool.k,) * 2, (1, 2))
            view = view[:, ::layer.pool.s, ::layer.pool.s]
            x = view.max((3, 4)) if layer.pool.kind == "max" else view.mean((3, 4))
    y = x.reshape(-1)
    if network.loss == "softmax":
        return np.log(np.exp(y).sum()) - y @ target
    return 0.5 * ((y - target) ** 2).sum()


@pytest.mark.parametrize("loss", ["mse", "softmax"])
def test_gradients_are_those_of_the_loss(loss):
    network = Network(NETWORK.layers, loss)
    parameters, rng = initial(network, 3), np.random.default_rng(4)
    for bias in parameters.biases:
        bias[:] = rng.uniform(-0.5, 0.5, bias.shape)
    x, target = rng.standard_normal((2, 9, 8)), np.eye(3)[1]
    one = train.forward(network, parameters, x.astype(np.float32))
    train.backward(network, parameters, one, target)
    gradients = train.zeros(parameters)
    for n, layer in enumerate(network.layers):
        train.layer_gd(layer, gradients, n, one.inputs[n], one.errors[n])
    weights = [w.astype(np.float64) for w in parameters.weights]
    biases = [b.astype(np.float64) for b in parameters.biases]
    step = 1e-6
    for values, got in ((weights, gradients.weights), (biases, gradients.biases)):
        for value, gradient in zip(values, got, strict=True):
            numeric = np.zeros_like(value)
            for index in np.ndindex(*value.shape):
                kept = value[index]
                ends = []
                for change in (step, -step):
                    value[index] = kept + change
                    ends.append(float64_loss(network, weights, biases, x.copy(), target))
                value[index] = kept
                numeric[index] = (ends[0] - ends[1]) / (2 * step)
            assert np.abs(numeric - gradient).max() < 2e-5 * max(1.0, np.abs(numeric).max())


def test_max_pooling_takes_the_first():
    x = np.array([[[1, 3], [3, np.nan]]], np.float32)
    out, chosen = fp32.max_fp(x, 2, 2)
    assert out.item() == 3 and chosen.item() == 1
    back = fp32.max_bp(np.array([[[7]]], np.float32), chosen, 2, 2, 2, 2)
    assert back.tolist() == [[[0, 7], [0, 0]]]


def test_relu_and_nan():
    values = np.array([-1, -0.0, 0, 2, np.nan, -np.nan], np.float32)
    got = fp32.canonical(fp32.relu(values)).view(np.uint32)
    assert got.tolist() == [0, 0, 0, 0x40000000, 0x7FC00000, 0x7FC00000]


def test_training_lowers_the_loss():
    rng = np.random.default_rng(5)
    parameters = initial(NETWORK, 6)
    inputs = rng.standard_normal((8, 2, 9, 8)).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 8)]
    losses = []
    for _ in range(30):
        instances = train.step(NETWORK, parameters, inputs, targets, rate=0.2, momentum=0.9)
        losses.append(train.loss(NETWORK, instances, targets))
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize(("layers", "message"), [
    ((), "at least one layer"),
    ((conv(3, 8, 8, 4, 3, 3, batch=2),), "batch 1, not 2"),
    ((conv(8, 8, 8, 4, 3, 3, groups=2),), "multiple of 16 channels"),
    ((conv(3, 8, 8, 4, 3, 3, pool=Pool(kind="max", k=2, s=2, pad=1)),), "inside the plane"),
    ((conv(3, 8, 8, 4, 3, 3), conv(4, 8, 8, 4, 3, 3)), r"what conv gives, \[4, 6, 6\]"),
    ((Layer.fc("fc", 4, 4), conv(4, 1, 1, 4, 1, 1, pad=1)), "conv: its input"),
])
def test_refusals(layers, message):
    with pytest.raises(ValueError, match=message):
        Network(layers)
