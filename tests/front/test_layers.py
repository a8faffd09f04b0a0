"""The reference arithmetic against ONNX Runtime, SciPy and plain Python loops."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from scipy.signal import correlate

from golden import layers
from golden.exact import convolve
from golden.layers import AccumulatorOverflow, Layer, Pool


def random_layer(rnd, **fixed):
    """A layer of any kind: R ≠ S, uneven padding, groups, planes that are not square."""
    groups = rnd.choice([1, 1, 2, 3])
    sizes = {"c": groups * rnd.randint(1, 4), "k": groups * rnd.randint(1, 4),
             "r": rnd.randint(1, 5), "s": rnd.randint(1, 5)}
    pad = tuple(rnd.randint(0, 3) for _ in range(4))
    plane = {"h": sizes["r"] + rnd.randint(0, 9), "w": sizes["s"] + rnd.randint(0, 9)}
    return Layer(**{**sizes, **plane, "pad": pad, "groups": groups, "stride": rnd.randint(1, 3),
                    "batch": rnd.randint(1, 3), **fixed})


def random_tensors(layer, rng, bits=8, density=0.7):
    low, high = -(1 << (bits - 1)), 1 << (bits - 1)
    pair = [rng.integers(low, high, shape) * (rng.random(shape) < density)
            for shape in (layer.weights_shape, layer.activations_shape)]
    return pair[0], pair[1]


def run_onnx(op, values, attributes, out_type):
    """One ONNX operator on named arrays, by ONNX Runtime."""
    inputs = [helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for name, v in values.items()]
    graph = helper.make_graph([helper.make_node(op, list(values), ["y"], **attributes)], "g",
                              inputs, [helper.make_tensor_value_info("y", out_type, list("nkhw"))])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    return session.run(None, values)[0]


@pytest.mark.parametrize("seed", range(60))
def test_sums_equal_onnx_runtime(seed):
    layer = random_layer(random.Random(seed))
    weights, activations = random_tensors(layer, np.random.default_rng(seed))
    top, bottom, left, right = layer.pads
    batched = activations.reshape(layer.batch, layer.c, layer.h, layer.w)
    theirs = run_onnx("ConvInteger",
                      {"x": (batched + 128).astype(np.uint8), "w": weights.astype(np.int8),
                       "zero": np.array(128, np.uint8)},
                      {"pads": [top, left, bottom, right], "group": layer.groups,
                       "strides": [layer.stride] * 2}, TensorProto.INT32)
    ours = layers.sums(layer, weights, activations)
    assert ours.shape == layer.sums_shape
    assert np.array_equal(ours, theirs.reshape(ours.shape))


@pytest.mark.parametrize("seed", range(20))
def test_sums_of_16_bits_equal_scipy(seed):
    layer = random_layer(random.Random(seed), groups=1, batch=1, c=3, k=2)
    weights, activations = random_tensors(layer, np.random.default_rng(seed), bits=16)
    top, bottom, left, right = layer.pads
    padded = np.pad(activations, ((0, 0), (top, bottom), (left, right)))
    theirs = np.stack([correlate(padded, kernel, "valid", "direct")[0] for kernel in weights])
    theirs = theirs[:, ::layer.stride, ::layer.stride]
    assert np.array_equal(layers.sums(layer, weights, activations), theirs)


def by_hand(layer, weights, activations):
    """The seven loops, in Python's unbounded integers."""
    images = activations.reshape(layer.batch, layer.c, layer.h, layer.w)
    out = np.zeros((layer.batch, layer.k, layer.ho, layer.wo), dtype=object)
    depth, top, left = layer.c // layer.groups, layer.pads[0], layer.pads[2]
    for n, k, y, x in np.ndindex(out.shape):
        group = k // (layer.k // layer.groups)
        for c, r, s in np.ndindex(depth, layer.r, layer.s):
            i, j = y * layer.stride + r - top, x * layer.stride + s - left
            if 0 <= i < layer.h and 0 <= j < layer.w:
                product = int(weights[k, c, r, s]) * int(images[n, group * depth + c, i, j])
                out[n, k, y, x] += product >> layer.product_shift
    return out.reshape(layer.sums_shape)


@pytest.mark.parametrize("bits", [8, 16, 28])
@pytest.mark.parametrize("seed", range(4))
def test_sums_equal_plain_loops(seed, bits):
    """All three paths: BLAS, 32-bit products, 64-bit products."""
    rnd = random.Random(seed)
    for shift in (0, rnd.randint(1, 12), 40):
        layer = random_layer(rnd, product_shift=shift, r=2, s=3)
        weights, activations = random_tensors(layer, np.random.default_rng(seed), bits=bits)
        assert np.array_equal(layers.sums(layer, weights, activations),
                              by_hand(layer, weights, activations))


def test_extremes_are_exact():
    """All operands -2^15: 2^30 per product, at the largest kernel and depth of a real layer."""
    for shift, each in ((0, 1 << 30), (3, 1 << 27)):
        layer = Layer(c=512, h=11, w=11, k=1, r=11, s=11, product_shift=shift)
        low = [np.full(shape, -(1 << 15)) for shape in (layer.weights_shape,
                                                        layer.activations_shape)]
        assert layers.sums(layer, *low).item() == each * 512 * 121


def test_integers_beyond_2_to_53_are_exact():
    weights = np.array([(1 << 30) + 1, 1]).reshape(1, 2, 1, 1)
    activations = np.array([(1 << 30) + 1, 3]).reshape(1, 2, 1, 1)
    assert convolve(weights, activations).item() == ((1 << 30) + 1) ** 2 + 3


def test_sums_beyond_int64_are_refused():
    wide = np.full((1, 4, 1, 1), 1 << 31)
    with pytest.raises(ValueError, match=r"must stay below 2\^62"):
        convolve(wide, wide)


def test_bias_is_added_to_every_element_of_its_channel():
    layer = Layer(c=1, h=2, w=3, k=2, r=1, s=1, bias=True, product_shift=4)
    zero = np.zeros(layer.activations_shape, int)
    got = layers.sums(layer, np.ones(layer.weights_shape, int), zero, np.array([5, -7]))
    assert got.tolist() == [[[5] * 3] * 2, [[-7] * 3] * 2]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_max_pooling_equals_onnx_runtime(seed, ceil_mode):
    rnd = random.Random(seed)
    k = rnd.randint(1, 4)
    pool = Pool(kind="max", k=k, s=rnd.randint(1, k), pad=rnd.randint(0, k - 1),
                ceil_mode=ceil_mode)
    shape = (1, 2, k + rnd.randint(0, 9), k + rnd.randint(0, 9))
    values = np.random.default_rng(seed).integers(-99, 100, shape)
    theirs = run_onnx("MaxPool", {"x": values.astype(np.float64)},
                      {"kernel_shape": [k] * 2, "strides": [pool.s] * 2, "pads": [pool.pad] * 4,
                       "ceil_mode": int(ceil_mode)}, TensorProto.DOUBLE)
    assert np.array_equal(layers.pool_plane(values, pool), theirs)


@pytest.mark.parametrize("seed", range(25))
def test_average_pooling_is_the_exact_mean_rounded_half_to_even(seed):
    rnd = random.Random(seed)
    k = rnd.randint(1, 4)
    pool = Pool(kind="avg", k=k, s=rnd.randint(1, 3), pad=rnd.randint(0, k - 1))
    values = np.random.default_rng(seed).integers(-9, 10, (2, k + rnd.randint(0, 6), k + 3))
    padded = np.pad(values, ((0, 0), (pool.pad,) * 2, (pool.pad,) * 2))
    got = layers.pool_plane(values, pool)
    for c, y, x in np.ndindex(got.shape):
        window = padded[c, y * pool.s:y * pool.s + k, x * pool.s:x * pool.s + k]
        assert got[c, y, x] == round(Fraction(int(window.sum()), k * k))


def test_ceil_mode_drops_a_window_that_starts_past_the_plane():
    assert Pool(kind="max", k=3, s=2, ceil_mode=True).size(112) == 56     # GoogLeNet pool1
    assert Pool(kind="max", k=3, s=2, pad=1, ceil_mode=True).size(5) == 3
    assert Pool(kind="max", k=2, s=2, pad=1, ceil_mode=True).size(3) == 2


def test_requantise_equals_fractions():
    values = np.arange(-200, 200)
    for shift in range(6):
        for multiplier in (1, 3):
            exact = [round(Fraction(int(v) * multiplier, 1 << shift)) for v in values]
            expected = [max(-128, min(127, v)) for v in exact]
            assert layers.requantise(values, shift, multiplier, 8).tolist() == expected


def test_rounding_is_exact_at_the_ends_of_int64():
    ends = np.array([2**63 - 1, -2**63, 2**62 + 1])
    for shift in (1, 40, 62):
        exact = [round(Fraction(int(v), 1 << shift)) for v in ends]
        assert layers.round_shift_half_even(ends, shift).tolist() == exact


def test_wrap_is_modular():
    values = np.arange(-40, 40)
    assert layers.wrap(values, 4).tolist() == [(int(v) + 8) % 16 - 8 for v in values]


@pytest.mark.parametrize("seed", range(10))
def test_automatic_shift_is_the_smallest(seed):
    rng = np.random.default_rng(seed)
    total = rng.integers(-(1 << rng.integers(1, 40)), 1 << rng.integers(1, 40), 50)
    shift = layers.smallest_shift(total, 3, 8)

    def saturates(at):
        rounded = layers.round_shift_half_even(total * 3, at)
        return not np.array_equal(rounded, layers.saturate(rounded, 8))

    assert not saturates(shift)
    assert shift == 0 or saturates(shift - 1)


def test_automatic_shift_minds_rounding_up():
    assert layers.smallest_shift(np.array([255]), 1, 8) == 2     # 255/2 = 127.5 rounds to 128
    assert layers.smallest_shift(np.array([254]), 1, 8) == 1


def test_reference_does_the_steps_in_order():
    layer = Layer(c=1, h=2, w=2, k=1, r=1, s=1, shift=1, out_bits=4, relu=True, bias=True,
                  pool=Pool(kind="avg", k=2, s=2))
    weights, activations = np.array([[[[1]]]]), np.array([[[-9, 3], [5, 99]]])
    result = layers.reference(layer, weights, activations, np.array([1]))
    # sums -8 4 6 100; /2: -4 2 3 50; saturated -4 2 3 7; ReLU 0 2 3 7; mean 3
    assert result.sums.ravel().tolist() == [-8, 4, 6, 100]
    assert result.outputs.tolist() == [[[3]]]
    assert result.shift == 1


def overflowing(acc_bits, **rest):
    layer = Layer(name="conv9", c=2, h=1, w=2, k=1, r=1, s=1, bias=True, **rest)
    weights = np.array([100, 100]).reshape(layer.weights_shape)
    activations = np.array([[[5, 100]], [[5, 100]]])
    return layers.reference(layer, weights, activations, np.array([-1]), acc_bits)


def test_overflow_names_worst_element_and_what_would_do():
    with pytest.raises(AccumulatorOverflow, match=(
            r"^conv9: sum 19999 at output \[0, 0, 1\] must fit in acc_bits 15; "
            r"acc_bits 16 or product shift 1 would hold it$")):
        overflowing(15)
    assert overflowing(16).sums.max() == 19999
    assert overflowing(15, product_shift=1).sums.max() == 9999


def test_overflow_of_the_bias_alone_has_no_product_shift():
    layer = Layer(c=1, h=1, w=1, k=1, r=1, s=1, bias=True)
    one = np.ones((1, 1, 1, 1), int)
    with pytest.raises(AccumulatorOverflow, match="acc_bits 9 or no product shift"):
        layers.reference(layer, one, one[0], np.array([200]), 8)


@pytest.mark.parametrize("seed", range(15))
def test_the_product_shift_named_is_the_smallest(seed):
    layer = random_layer(random.Random(seed), bias=True, pad=0)
    rng = np.random.default_rng(seed)
    weights, activations = random_tensors(layer, rng, bits=16, density=1)
    bias = rng.integers(-500, 500, layer.k)
    with pytest.raises(AccumulatorOverflow) as error:
        layers.reference(layer, weights, activations, bias, 20)
    named = error.value.needed_product_shift
    fits = [layers.bits_for(int(total.min()), int(total.max())) <= 20 for total in (
        layers.sums(replace(layer, product_shift=p), weights, activations, bias)
        for p in range(1, named + 1))]
    assert fits == [False] * (named - 1) + [True]


def test_the_product_shift_named_counts_what_the_floors_lose():
    layer = Layer(c=100, h=1, w=1, k=1, r=1, s=1)
    three = [np.full(layer.weights_shape, 3), np.ones(layer.activations_shape, int)]
    with pytest.raises(AccumulatorOverflow, match="acc_bits 10 or product shift 1 would"):
        layers.reference(layer, *three, acc_bits=8)        # 300; 100 x (3 >> 1) = 100, not 150


def test_only_the_final_sum_is_judged():
    layer = Layer(c=2, h=1, w=1, k=1, r=1, s=1)
    weights = np.array([100, -100]).reshape(layer.weights_shape)
    activations = np.full(layer.activations_shape, 100)
    assert layers.reference(layer, weights, activations, acc_bits=8).sums.item() == 0


def test_allowed_overflow_wraps():
    layer = Layer(c=1, h=1, w=1, k=1, r=1, s=1, shift=0)
    value = np.array([[[[100]]]])
    got = layers.reference(layer, value, value[0], acc_bits=8, allow_overflow=True)
    assert got.outputs.item() == 10000 % 256 == 16


@pytest.mark.parametrize("seed", range(15))
def test_effectual_macs_are_the_sums_of_the_masks(seed):
    layer = random_layer(random.Random(seed))
    tensors = random_tensors(layer, np.random.default_rng(seed), density=0.4)
    masks = [(t != 0).astype(np.int64) for t in tensors]
    assert layers.effectual_macs(layer, *tensors) == layers.sums(layer, *masks).sum()


def test_alexnet_conv2_counts():
    layer = Layer(name="conv2", c=96, h=27, w=27, k=256, r=5, s=5, pad=2, groups=2,
                  pool=Pool(kind="max", k=3, s=2))
    assert (layer.ho, layer.wo, layer.out_h) == (27, 27, 13)
    assert layer.macs == 223_948_800
    assert layer.weight_count == 307_200
    assert not layer.is_fc
    assert Layer.fc("fc8", 4096, 1000, batch=16).is_fc


REFUSED = [
    ({"c": 0}, "c must be at least 1, not 0"),
    ({"h": 2.5}, "h must be a whole number, not 2.5"),
    ({"stride": 0}, "stride must be at least 1, not 0"),
    ({"c": 3, "groups": 2}, r"c \(3\) must be a multiple of groups \(2\)"),
    ({"k": 3, "groups": 2, "c": 4}, r"k \(3\) must be a multiple of groups \(2\)"),
    ({"r": 9}, r"r \(9\) must be at most the padded plane's side \(8 \+ 0\)"),
    ({"s": 12, "pad": 1}, r"s \(12\) must be at most the padded plane's side \(8 \+ 2\)"),
    ({"pad": -1}, "pad must be at least 0, not -1"),
    ({"pad": (1, 2)}, r"pad must be one number or \(top, bottom, left, right\), not \(1, 2\)"),
    ({"shift": 63}, "shift must be 0 to 62, not 63"),
    ({"product_shift": -1}, "product_shift must be 0 to 62"),
    ({"multiplier": 0}, "multiplier must be 1 to"),
    ({"out_bits": 1}, "out_bits must be 2 to 32, not 1"),
    ({"batch": 0}, "batch must be at least 1"),
    ({"pool": 3}, "pool must be a Pool or None, not 3"),
    ({"pool": Pool(kind="avg", k=3, s=2, ceil_mode=True)},
     "avg pool windows must stay inside the padded plane: the last one hangs 1"),
    ({"pool": Pool(kind="max", k=9, s=1)}, r"pool k \(9\) exceeds the padded side \(8 \+ 2·0\)"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_bad_layers_are_refused(fields, message):
    good = {"c": 4, "h": 8, "w": 8, "k": 4, "r": 1, "s": 1}
    with pytest.raises(ValueError, match=message):
        Layer(**{**good, **fields})


@pytest.mark.parametrize(("fields", "message"), [
    ({"kind": "min"}, "pool kind must be max or avg, not 'min'"),
    ({"k": 0}, "pool k must be at least 1"),
    ({"s": 0}, "pool s must be at least 1"),
    ({"pad": 2}, r"pool pad must be below pool k \(2\), not 2"),
])
def test_bad_pools_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Pool(**{"kind": "max", "k": 2, "s": 2, **fields})


def test_bad_tensors_are_refused():
    layer = Layer(name="x", c=2, h=3, w=3, k=1, r=1, s=1)
    weights, activations = np.ones(layer.weights_shape, int), np.ones((2, 3, 3), int)
    for args, message in (
            ((weights[:, :1], activations), r"x: weights must be of shape \[1, 2, 1, 1\], not"),
            ((weights, activations[:, 1:]), r"x: activations must be of shape \[2, 3, 3\]"),
            ((weights * 0.5, activations), "x: weights must be integers, not float64"),
            ((weights, activations, np.ones(1, int)), "x: bias given to a layer that has none")):
        with pytest.raises(ValueError, match=message):
            layers.sums(layer, *args)
    with pytest.raises(ValueError, match="bias must be given"):
        layers.sums(replace(layer, bias=True), weights, activations)
    with pytest.raises(ValueError, match="shift must be set"):
        layers.finish(layer, np.zeros((1, 3, 3), int))
