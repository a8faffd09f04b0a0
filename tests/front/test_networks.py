"""The built-in networks: totals, shapes that follow on, densities with their sources."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from golden import layers
from sparseforge.networks import NAMES, digits, network
from sparseforge.networks.densities import published
from sparseforge.networks.network import digits_chain, follow_on, synthesise, synthesise_chain

TOTALS = [  # convolutions alone: count, MACs, weights
    ("alexnet", 5, 665_784_864, 2_332_704),
    ("vgg16", 13, 15_346_630_656, 14_710_464),
    ("resnet50", 53, 3_855_925_248, 23_454_912),
    ("resnet50_v1.5", 53, 4_087_136_256, 23_454_912),
    ("googlenet", 57, 1_581_647_872, 5_966_272),
    ("lenet5", 2, 288_000 + 1_600_000, 500 + 25_000),
]


@pytest.mark.parametrize(("name", "count", "macs", "weights"), TOTALS)
def test_totals(name, count, macs, weights):
    convolutions = network(name).convolutions
    assert len(convolutions) == count
    assert sum(x.macs for x in convolutions) == macs
    assert sum(x.weight_count for x in convolutions) == weights


def test_totals_are_the_published_ones():
    """Rounded as the papers print them: 666 M/2.33 M, 15.3 G/14.7 M, 3.86 G/23.5 M."""
    rounded = {n: (float(f"{m / 1e9:.3g}"), float(f"{w / 1e6:.3g}")) for n, _, m, w in TOTALS}
    assert rounded["alexnet"] == (0.666, 2.33)
    assert rounded["vgg16"] == (15.3, 14.7)
    assert rounded["resnet50"] == (3.86, 23.5)


def test_scnn_table_i():
    """54 layers of 1.1 G multiplies; the largest weights are 1.73, 1.32 and 4.49 MB there, of two
    bytes each (MB of different kinds: they are 1,769,472, 1,327,104 and 4,718,592 bytes)."""
    googlenet = network("googlenet")
    inside = [x for x in googlenet.layers if x.name in googlenet.compared]
    assert len(inside) == 54
    assert sum(x.macs for x in inside) == 1_103_972_352
    assert [2 * max(x.weight_count for x in network(n).convolutions)
            for n in ("alexnet", "googlenet", "vgg16")] == [1_769_472, 1_327_104, 4_718_592]


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "lenet5"])
def test_chains_follow_on(name):
    net = network(name)
    assert net.chain
    for before, after in pairwise(net.layers):
        given = follow_on(after, np.zeros(before.outputs_shape))
        assert given.shape == after.activations_shape


def test_googlenet_modules_follow_on():
    """A module's four branches, pooled, are the next one's input channels and side."""
    by_module: dict[str, list] = {}
    for layer in network("googlenet").layers[3:]:
        by_module.setdefault(layer.name.split("/")[0], []).append(layer)
    modules = list(by_module.values())
    assert network("googlenet").layers[2].outputs_shape == (192, 28, 28)
    for module, following in pairwise(modules):
        branches = [module[i] for i in (0, 2, 4, 5)]
        assert sum(x.k for x in branches) == following[0].c
        assert {(x.out_h, x.out_w) for x in branches} == {(following[0].h, following[0].w)}
    assert {x.outputs_shape[1:] for x in modules[-1]} == {(7, 7)}


@pytest.mark.parametrize("name", ["resnet50", "resnet50_v1.5"])
def test_resnet_blocks_follow_on(name):
    by_name = {x.name: x for x in network(name).layers}
    assert by_name["conv1"].outputs_shape == (64, 56, 56)
    for a, b in (("a", "b"), ("b", "c")):
        for layer in by_name.values():
            if layer.name.endswith(f"branch2{a}"):
                after = by_name[layer.name[:-1] + b]
                assert layer.outputs_shape == after.activations_shape
    for layer in by_name.values():
        if layer.name.endswith("branch1"):
            assert layer.outputs_shape == by_name[layer.name[:-1] + "2c"].outputs_shape
    assert by_name["res5c/branch2c"].outputs_shape == (2048, 7, 7)


def test_every_layer_has_densities_and_a_source():
    for name in NAMES:
        for entry in network(name).entries:
            d = entry.densities
            assert 0 < d.weights <= 1, entry
            assert 0 < d.activations <= 1 or network(name).trained, entry
            assert d.published != d.source.startswith("filled: "), entry


def test_published_densities_are_used():
    used = {(name, e.layer.name) for name in NAMES for e in network(name).entries
            if e.densities.published and not network(name).trained}
    assert used == {key for key in published() if key[1] != "*"}
    conv2 = network("alexnet").pick("conv2")[0].densities
    assert (conv2.weights, conv2.activations) == (0.38, 0.88)


def test_filled_densities():
    googlenet = {e.layer.name: e.densities for e in network("googlenet").entries}
    middle = googlenet["inception_4c/1x1"]              # half-way of 0.38..0.32, 0.71..0.31
    assert (middle.weights, middle.activations) == (0.35, 0.51)
    assert googlenet["conv1/7x7_s2"].activations == 1.0
    resnet = {e.layer.name: e.densities for e in network("resnet50_v1.5").entries}
    assert resnet["conv1"].activations == 1.0
    assert (resnet["res3b/branch2b"].weights, resnet["res3b/branch2b"].activations) == (0.24, 0.34)


def test_synthesised_layers_have_their_densities():
    for layer, t in synthesise(network("lenet5").entries, seed=1):
        assert t.weights.shape == layer.weights_shape
        assert t.activations.shape == layer.activations_shape
    assert abs(t.weight_density - 0.19) < 1e-3


def test_a_synthesised_chain_is_one():
    """LeNet-5 with ReLUs: outputs of one layer are the activations of the next, at its density."""
    entries = [replace(e, layer=replace(e.layer, relu=True)) for e in network("lenet5").entries]
    previous = None
    for (layer, t), entry in zip(synthesise_chain(entries), entries, strict=True):
        assert layer.shift is not None
        assert layer.out_bits == 8
        if previous is not None:
            assert np.array_equal(t.activations.ravel(), previous.ravel())
            assert abs(t.activation_density - entry.densities.activations) < 0.05
        previous = layers.reference(layer, t.weights, t.activations, t.bias, 24).outputs
    assert previous.shape == (10, 1, 1)


def test_digits_are_recognised():
    """The chain's outputs name the digits, as often as the file's own figure says."""
    net = network("digits")
    assert all(e.densities.weights <= 0.35 for e in net.entries)
    pixels, labels = digits.images()
    entries = [replace(e, layer=replace(e.layer, batch=len(pixels))) for e in net.entries]
    for layer, t in digits_chain(entries):
        assert t.activations.shape == layer.activations_shape
    scores = layers.reference(layer, t.weights, t.activations, t.bias, 24).outputs
    right = np.count_nonzero(scores.reshape(-1, 10).argmax(1) == labels)
    assert f"{right / len(labels):.6f}" == digits.metadata()["quantised_accuracy"]
    with pytest.raises(ValueError, match="must stay within the 599 held-out images, not reach 600"):
        next(digits_chain(net.entries, first=599))


def test_bad_names_are_refused():
    with pytest.raises(ValueError, match=r"--network must be one of alexnet, vgg16, .*, not vgg"):
        network("vgg")
    with pytest.raises(ValueError, match=r"--layer must be one of lenet5's layers \(conv1, conv2, "
                                         r"fc1, fc2\), not conv3"):
        network("lenet5").pick("conv3")
    with pytest.raises(ValueError, match=r"conv3: activations must be of shape \[256, 13, 13\], but"
                                         r" the layer before gives \[256, 27, 27\]"):
        follow_on(network("alexnet").pick("conv3")[0].layer, np.zeros((256, 27, 27)))
