"""Synthetic tensors: exact densities, ranges, repeatability. Files: each bad kind is refused."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from golden import layers, tensors
from golden.layers import Layer

LAYER = Layer(name="conv", c=6, h=11, w=7, k=8, r=3, s=2, bias=True)


@pytest.mark.parametrize("density", [0, 0.1, 0.37, 0.5, 1])
def test_density_is_exact(density):
    t = tensors.synthetic(LAYER, weight_density=density, activation_density=density / 2)
    assert np.count_nonzero(t.weights) == round(density * 6 * 8 * 6)
    assert np.count_nonzero(t.activations) == round(density / 2 * 6 * 77)
    assert t.activations.min() >= 0
    assert t.weight_density == np.count_nonzero(t.weights) / t.weights.size


def digest(t):
    data = b"".join(a.astype("<i8").tobytes() for a in (t.weights, t.activations, t.bias))
    return hashlib.sha256(data).hexdigest()[:16]


def test_same_seed_same_tensors_everywhere():
    """The digest is fixed: other values would make published figures change."""
    same = [tensors.synthetic(LAYER, weight_density=0.4, activation_density=0.4, seed=3)
            for _ in range(2)]
    assert digest(same[0]) == digest(same[1]) == "1c6fd32f8083eea2"
    for other in (tensors.synthetic(LAYER, weight_density=0.4, activation_density=0.4, seed=4),
                  tensors.synthetic(replace(LAYER, name="b"), weight_density=0.4,
                                    activation_density=0.4, seed=3)):
        assert digest(other) != digest(same[0])


@pytest.mark.parametrize("product_shift", [0, 6])
@pytest.mark.parametrize("acc_bits", [16, 24, 40])
def test_no_draw_can_overflow(acc_bits, product_shift):
    layer = replace(LAYER, product_shift=product_shift)
    t = tensors.synthetic(layer, acc_bits=acc_bits, seed=1, signed_activations=True)
    most = int(max(abs(t.weights).max(), abs(t.activations).max()))
    for sign in (1, -1):
        worst = layers.sums(layer, np.full_like(t.weights, sign * most),
                            np.full_like(t.activations, most), np.full_like(t.bias, sign * most))
        assert layers.bits_for(int(worst.min()), int(worst.max())) <= acc_bits
    assert t.activations.min() < 0 < t.activations.max()
    assert acc_bits < 40 or most > 32000


def test_data_bits_limit_the_range():
    t = tensors.synthetic(LAYER, data_bits=4, acc_bits=40)
    assert abs(t.weights).max() == 7 == t.activations.max()


def test_blocks_are_whole():
    layer = Layer(c=6, h=5, w=5, k=10, r=5, s=3)
    t = tensors.synthetic(layer, weight_density=0.5, block=(3, 4, 3, 2), seed=2)
    kept = t.weights != 0
    blocks = [kept[k:k + 4, c:c + 3, r:r + 2] for k in (0, 4, 8) for c in (0, 3) for r in (0, 2, 4)]
    assert all(b.all() or not b.any() for b in blocks)
    assert sum(b.all() for b in blocks) == 9


@pytest.mark.parametrize(("arguments", "message"), [
    ({"weight_density": 1.5}, "weight density must be 0 to 1, not 1.5"),
    ({"activation_density": float("nan")}, "activation density must be 0 to 1, not nan"),
    ({"seed": -1}, "seed must be at least 0, not -1"),
    ({"block": (1, 0, 1, 1)}, r"weight block must be four numbers of at least 1, not \[1, 0"),
])
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        tensors.synthetic(LAYER, **arguments)


def test_load_gives_int64(tmp_path):
    for values in (np.array([[1, -2]], np.int8), np.array([[1.0, -2.0]])):
        np.save(tmp_path / "a.npy", values)
        got = tensors.load(tmp_path / "a.npy", "weights", 2)
        assert got.dtype == np.int64
        assert got.tolist() == [[1, -2]]


@pytest.mark.parametrize(("values", "message"), [
    (np.ones((2, 2)) * 0.5, r"must hold integers, but a fraction is at \[0, 0\]"),
    (np.array([[1, np.nan]]), r"must hold integers, but NaN is at \[0, 1\]"),
    (np.array([[1, np.inf]]), r"must hold integers, but infinity is at \[0, 1\]"),
    (np.ones(3, int), "must have 2 dimensions, not 1"),
    (np.ones((3, 0), int), r"must not be empty, but its shape is \[3, 0\]"),
    (np.array([["a"]]), "must hold integers, not <U1"),
    (np.array([[True]]), "must hold integers, not bool"),
    (np.array([[1j]]), "must hold integers, not complex128"),
    (np.array([[2**63]], np.uint64), r"must hold integers below 2\^62, but reaches 9223372036854"),
    (np.array([[None]]), "must be a .npy file of numbers"),
])
def test_bad_arrays_are_refused(tmp_path, values, message):
    np.save(tmp_path / "w.npy", values)
    with pytest.raises(ValueError, match=r"^weights .*w\.npy: " + message):
        tensors.load(tmp_path / "w.npy", "weights", 2)


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be a readable file: No such file"):
        tensors.load(tmp_path / "none.npy", "weights", 2)
    with pytest.raises(ValueError, match=r"must be a readable file: Is a directory"):
        tensors.load(tmp_path, "weights", 2)
    for content in (b"", b"hello", b"\x93NUMPY\x01\x00"):
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(ValueError, match=r"must be a \.npy file of numbers"):
            tensors.load(tmp_path / "x.npy", "weights", 2)
    np.savez(tmp_path / "many.npz", a=np.ones(2))
    with pytest.raises(ValueError, match=r"must be one array \(\.npy\), not an archive"):
        tensors.load(tmp_path / "many.npz", "weights", 2)


def test_check_refuses_shapes_and_ranges():
    good = tensors.synthetic(LAYER, acc_bits=40)
    tensors.check(LAYER, good, 16, 24)
    wide = good.weights.copy()
    wide[1, 2, 0, 1] = -32769
    for bad, message in (
            (replace(good, weights=good.weights[:, :5]),
             r"conv weights: must be of shape \[8, 6, 3, 2\], not \[8, 5, 3, 2\]"),
            (replace(good, activations=good.activations[0]), r"conv activations: must be of shape"),
            (replace(good, bias=good.bias[:3]), r"conv bias: must be of shape \[8\], not \[3\]"),
            (replace(good, weights=wide),
             r"conv weights: must be -32768 to 32767 \(16 bits\), not -32769 at \[1, 2, 0, 1\]"),
            (replace(good, bias=good.bias + (1 << 24)), r"conv bias: must be -8388608 to 8388607"),
            (replace(good, bias=None), "conv bias: must be given exactly if")):
        with pytest.raises(ValueError, match=message):
            tensors.check(LAYER, bad, 16, 24)
