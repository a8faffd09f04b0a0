"""Events and lanes: Figs 3 and 4, conflicts of banks, sums through the lane map against golden."""
import random

import numpy as np
import pytest

from golden import layers as arithmetic
from golden.layers import Layer
from golden.mnf.events import Event, Pixels, algorithm_1, algorithm_2, generate
from golden.mnf.geometry import Geometry
from golden.mnf.lanes import LaneMap, smallest_pitch
from tests.common.random_layers import SEEDS, random_layer, random_tensors


def fig_3():
    """The event of pixel (1, 1) = 100 of a 4 × 4 plane under a 3 × 3 kernel."""
    layer = Layer(c=1, h=4, w=4, k=1, r=3, s=3)
    plane = np.zeros((1, 4, 4), np.int64)
    plane[0, 1, 1] = 100
    return layer, plane


def test_fig_3_as_printed():
    layer, plane = fig_3()
    events = generate(Pixels.of(plane), Geometry.of(layer), (0, 2), 4)
    (event,) = (Event(*row) for row in events.tolist())
    assert event == Event(100, 0, 1, 1, 0, 1, 1)        # start weight 4, jumps of 1
    assert list(algorithm_1(event, 3, 4)) == [(4, 0), (3, 1), (1, 4), (0, 5)]
    lanes = LaneMap(pr=1, pc=1, kl=1, pitch=4, taps=(3, 3))
    assert [(v.weight, v.entry) for v in lanes.vectors(event)] == [(4, 0), (3, 1), (1, 4), (0, 5)]


def test_fig_3_computes_the_right_output():
    layer, plane = fig_3()
    weights = np.arange(1, 10).reshape(1, 1, 3, 3)
    expected = arithmetic.sums(layer, weights, plane)
    assert (sums_of(layer, weights, plane, 3, 3, 1) == expected).all()
    assert expected.tolist() == [[[500, 400], [200, 100]]]


def test_fig_4():
    """Five neurons, four neurons: events of neurons 1 and 3 reach all four, four weights each."""
    layer = Layer.fc("fc", 5, 4)
    weights = np.arange(20).reshape(4, 5, 1, 1)
    plane = np.array([0, 100, 0, 7, 0]).reshape(5, 1, 1)
    events = generate(Pixels.of(plane), Geometry.of(layer), (0, 1), 1)
    assert events.tolist() == [[100, 1, 0, 0, 0, 0, 0], [7, 3, 0, 0, 0, 0, 0]]
    assert [w for w, _ in algorithm_2(3, 4)] == [12, 13, 14, 15]
    words = LaneMap(pr=1, pc=1, kl=4, pitch=1, taps=(1, 1)).pack(weights, 4)
    stored = words.reshape(-1)                  # input by input, as Algorithm 2 reads them
    sums = np.zeros(4, np.int64)
    for value, channel in events[:, :2].tolist():
        for weight, neuron in algorithm_2(channel, 4):
            sums[neuron] += stored[weight] * value
    assert (sums == arithmetic.sums(layer, weights, plane).reshape(-1)).all()


@pytest.mark.parametrize("pr, pc", [(1, 1), (1, 3), (2, 2), (2, 3), (3, 2), (3, 3), (4, 3), (5, 5)])
def test_pitches_without_conflicts(pr, pc):
    """Exactly the pitches that the rule allows put the window's positions into distinct banks."""
    for pitch in range(2 * pc, 2 * pc + 60):
        offsets = {(i * pitch + j) % (pr * pc) for i in range(pr) for j in range(pc)}
        free = len(offsets) == pr * pc
        assert free == (smallest_pitch(pitch, pr, pc) == pitch)
        if (pr, pc) == (3, 3):
            assert free == (pitch % 9 in (3, 6))


def sums_of(layer, weights, plane, pr, pc, kl, lanes=27, bands=1):
    """The layer's sums through words, vectors and banks, group by group, band by band."""
    geometry, pitch = Geometry.of(layer), smallest_pitch(layer.wo, pr, pc)
    out = np.zeros((layer.k, layer.ho, layer.wo), np.int64)
    k, c = layer.k // layer.groups, layer.c // layer.groups
    height = -(-layer.ho // bands)
    for group in range(layer.groups):
        filters = geometry.split(weights[group * k:(group + 1) * k])
        pixels = Pixels.of(plane).channels(group * c, (group + 1) * c)
        for first in range(0, layer.ho, height):
            last = min(first + height, layer.ho)
            used = LaneMap(pr=pr, pc=pc, kl=kl, pitch=pitch, taps=geometry.taps,
                           groups=-(-k // kl), stretch=-(-(last - first) * pitch // (pr * pc)))
            words = used.pack(filters, lanes)
            banks = np.zeros((lanes, used.groups * used.stretch), np.int64)
            for row in generate(pixels, geometry, (first, last), pitch).tolist():
                for vector in used.vectors(Event(*row)):
                    targets = list(used.targets(vector))
                    assert len({bank for _, bank, _ in targets}) == len(targets)
                    for slot, bank, entry in targets:
                        banks[bank, entry] += words[vector.weight, slot] * row[0]
            for n in range(k):
                for y in range(first, last):
                    for x in range(layer.wo):
                        out[group * k + n, y, x] = banks[
                            used.place((y - first) * pitch + x, n)]
    return out


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_layers(seed):
    rnd, rng = random.Random(seed), np.random.default_rng(seed)
    layer = random_layer(rnd)
    while layer.batch > 1 or layer.product_shift or layer.bias:
        layer = random_layer(rnd)
    tensors = random_tensors(rng, layer)
    pr, pc = rnd.randint(1, 5), rnd.randint(1, 5)
    got = sums_of(layer, tensors.weights, tensors.activations, pr, pc,
                  rnd.randint(1, 27 // (pr * pc)), bands=rnd.randint(1, 3))
    assert (got == arithmetic.sums(layer, tensors.weights, tensors.activations)).all()


@pytest.mark.parametrize("stride, pad", [(1, 0), (1, 2), (2, 1), (4, 0), (5, 3)])
def test_algorithm_1_is_the_convolution(stride, pad):
    """The paper's loops over sub-filters, event by event, against golden's convolution."""
    layer = Layer(c=2, h=13, w=12, k=1, r=4, s=3, stride=stride, pad=pad)
    tensors = random_tensors(np.random.default_rng(stride), layer)
    geometry, (_, columns) = Geometry.of(layer), Geometry.of(layer).taps
    filters = geometry.split(tensors.weights)[0].reshape(2 * geometry.phases, -1)
    sums = np.zeros(layer.ho * layer.wo, np.int64)
    pixels = Pixels.of(tensors.activations)
    for row in generate(pixels, geometry, (0, layer.ho), layer.wo).tolist():
        for weight, neuron in algorithm_1(Event(*row), columns, layer.wo):
            sums[neuron] += filters[row[1], weight] * row[0]
    expected = arithmetic.sums(layer, tensors.weights, tensors.activations)
    assert (sums == expected.reshape(-1)).all()
