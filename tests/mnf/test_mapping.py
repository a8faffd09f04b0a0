"""Mappings: the paper's equations, its claims, every layer's lanes; random layers carried out."""
import random
from dataclasses import replace

import numpy as np
import pytest

from golden import layers as arithmetic
from golden.layers import Layer
from golden.mnf.execute import execute
from golden.mnf.ledger import equation_1, equation_2, ledger
from golden.mnf.mapping import Histogram, estimate, mappings, search
from golden.mnf.passes import passes
from hw.mnf.config import PRESETS
from sparseforge.networks.network import network
from sparseforge.networks.tables import alexnet, vgg16
from tests.common.random_layers import SEEDS, random_layer, random_tensors


def test_equations():
    """The text's own examples: 2 PEs, of which equation 1 as printed finds 1; and 23."""
    assert equation_1(28, 28, 3, 2, 800, 9000) == (1, 2)
    assert equation_2(1568, 128, 800, 9000) == 23
    with pytest.raises(ValueError, match="a map of 75 × 75 must fit the 800 neurons of a PE"):
        equation_1(75, 75, 3, 2, 800, 9000)


@pytest.mark.parametrize("name, claimed, share, events, both", [
    ("alexnet", 326_743, 0.134, 1.59e6, 0.74e6), ("vgg16", 6_329_113, 0.122, 31.7e6, 10.7e6)])
def test_ledger(name, claimed, share, events, both):
    """612.1 and 31.6 frames per second need more work in a frame than 297 multipliers can do."""
    entries = network(name).entries
    densities = {e.layer.name: (e.densities.weights, e.densities.activations) for e in entries}
    found = ledger(name, [e.layer for e in entries], densities)
    assert found.claimed == claimed and round(found.share, 3) == share
    assert abs(found.total.events / events - 1) < 0.01
    assert abs(found.total.both / both - 1) < 0.01
    assert found.total.both > found.claimed
    if name == "alexnet":
        assert found.rows[0].events == 354_934 > found.claimed      # conv1 alone


def checked(layer, weights, plane, mapping):
    """A mapping carried out gives golden's sums, and as many vectors as the estimate says."""
    found = execute(mapping, weights, plane)
    rows = np.zeros(layer.ho, bool)             # a pool may leave rows out
    for first, last in mapping.bands:
        rows[first:last] = True
    assert layer.pool or rows.all()
    expected = arithmetic.sums(layer, weights, plane)
    assert (found.sums[:, rows] == expected[:, rows]).all(), mapping
    counted = estimate(mapping, Histogram(layer, plane))
    assert sum(map(sum, found.vectors)) == counted.vectors
    assert sum(max(v) for v in found.vectors) <= counted.compute
    assert len(found.vectors) == mapping.passes


@pytest.mark.parametrize("preset", ["small", "tiny"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_layers(preset, seed):
    """The mapping that is chosen, and two that are not."""
    rnd, rng, config = random.Random(seed), np.random.default_rng(seed), PRESETS[preset]
    layer = random_layer(rnd)
    layer = replace(layer, batch=1, product_shift=0, bias=False)
    tensors = random_tensors(rng, layer)
    try:
        best = search(layer, tensors.activations, config).mapping
    except ValueError as error:
        assert "must fit" in str(error)
        assert not list(mappings(layer, config))
        return
    others = list(mappings(layer, config))
    for mapping in (best, *rnd.sample(others, min(2, len(others)))):
        checked(layer, tensors.weights, tensors.activations, mapping)


def test_input_channels_in_parts():
    """Weights that do not fit: sums stay in the PE, only the last part of the channels fires."""
    layer = Layer(c=40, h=5, w=5, k=4, r=3, s=3, pad=1)
    tensors = random_tensors(np.random.default_rng(3), layer)
    config = replace(PRESETS["tiny"], weight_words=128)
    parts = [m for m in mappings(layer, config) if m.load_passes > 1]
    assert parts
    for mapping in parts[:6]:
        fires = [share.fires for shares in passes(mapping) for share in shares]
        assert any(fires) and not all(fires)
        checked(layer, tensors.weights, tensors.activations, mapping)


def test_lanes_of_the_networks():
    """At least 90 % of the lanes work in the interior of every AlexNet and VGG16 layer."""
    for layer in (*alexnet(), *vgg16()):
        few = replace(layer, c=min(layer.c, 4 * layer.groups))
        plane = np.ones(few.activations_shape, np.int8)
        assert search(few, plane, PRESETS["paper"]).mapping.interior >= 0.9, layer.name


def test_a_plane_that_no_pe_holds():
    layer = Layer(name="wide", c=1, h=3, w=400, k=1, r=1, s=1)
    with pytest.raises(ValueError, match="wide: a row of 400 outputs must fit the 335 neurons"):
        search(layer, np.ones((1, 3, 400), np.int64), PRESETS["tiny"])


@pytest.mark.parametrize("shape, message", [
    ({"batch": 2}, "odd: batch must be at most 1, not 2"),
    ({"r": 12, "h": 20}, "odd: kernel rows must be at most 11, not 12"),
    ({"stride": 16}, "odd: stride must be at most 15, not 16"),
    ({"h": 600}, "odd: input rows must be at most 511, not 600"),
    ({"w": 510, "pad": 1}, "odd: output columns must be at most 511, not 512"),
    ({"c": 70_000}, "odd: input channels must be at most 65536, not 70000"),
    ({"product_shift": 1}, "odd: product_shift must be at most 0, not 1")])
def test_refusals(shape, message):
    layer = Layer(**{"name": "odd", "c": 1, "h": 3, "w": 3, "k": 1, "r": 1, "s": 1, **shape})
    with pytest.raises(ValueError) as error:
        search(layer, np.ones(layer.activations_shape, np.int8), PRESETS["paper"])
    assert str(error.value) == message
