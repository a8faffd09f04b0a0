"""The crossbar's cycle model against lists of lists, and the paper's claim about its banks."""

import dataclasses

import numpy as np
import pytest

from golden.scnn import crossbar
from hw.scnn.config import PRESETS

PAPER = PRESETS["paper"]


def reference_cycles(addresses, config):
    """Cycles until the last vector is in, by the README's words."""
    lanes, banks, depth = config.lanes, config.acc_banks, config.queue_depth
    queues = [([], []) for _ in range(lanes)]
    waiting = [[(lane, (a ^ (a >> config.bank_bits)) % banks) for lane, a in enumerate(vector)
                if a >= 0] for vector in addresses.tolist()]
    cycle = 0
    while waiting:
        enters = all(len(queues[lane][bank % 2]) < depth for lane, bank in waiting[0])
        free = set(range(banks))
        for lane in range(lanes) if cycle % 2 == 0 else reversed(range(lanes)):
            for queue in queues[lane]:
                if queue and queue[0] in free:
                    free.remove(queue.pop(0))
        if enters:
            for lane, bank in waiting.pop(0):
                queues[lane][bank % 2].append(bank)
        cycle += 1
    return cycle


def layer_addresses(rng, kc, kernel, tile, weights, activations, channels, config):
    """Vectors of a layer's random blocks on one PE: addresses, -1 for none."""
    pitch, vectors = tile[1] + kernel - 1, []
    for _ in range(channels):
        r, s, k = np.nonzero(rng.random((kernel, kernel, kc)) < weights)
        y, x = np.nonzero(rng.random(tile) < activations)
        offsets, places = (r * pitch + s) * kc + k, (y * pitch + x) * kc
        for i in range(0, len(places), config.mults_i):
            for f in range(0, len(offsets), config.mults_f):
                vector = np.full((config.mults_f, config.mults_i), -1)
                sums = offsets[f:f + config.mults_f, None] + places[None, i:i + config.mults_i]
                vector[:sums.shape[0], :sums.shape[1]] = sums
                vectors.append(vector.ravel())
    return np.array(vectors)


CONFIGS = {**{name: PRESETS[name] for name in ("paper", "small", "tiny")},
           "128": dataclasses.replace(PAPER, acc_banks=128),
           "256": dataclasses.replace(PAPER, acc_banks=256),
           "512": dataclasses.replace(PAPER, mults_f=8, mults_i=8, acc_banks=512)}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_reference(name, seed):
    config = CONFIGS[name]
    rng = np.random.default_rng(seed)
    spread = (8, config.acc_depth)[seed % 2]
    addresses = rng.integers(0, spread, (200, config.lanes))
    addresses[rng.random(addresses.shape) < 0.2 * seed] = -1
    cycles = crossbar.cycles_per_vector(addresses, config) * len(addresses)
    assert round(cycles) == reference_cycles(addresses, config)


CASES = {
    "AlexNet conv2": (8, 5, (4, 4), 0.38, 0.88, 40),
    "VGG16 conv2_2": (8, 3, (8, 14), 0.36, 0.79, 12),
    "VGG16 conv5_1": (8, 3, (2, 2), 0.35, 0.39, 300),
    "dense 3x3": (8, 3, (7, 7), 1, 1, 8),
}


@pytest.mark.parametrize("name", CASES)
def test_banks_suffice_on_real_layers(name):
    """A = 2 F I banks cost at most 15 % (paper, section IV); A = F I costs more than that."""
    addresses = layer_addresses(np.random.default_rng(1), *CASES[name], PAPER)
    cycles = crossbar.cycles_per_vector(addresses, PAPER)
    assert cycles <= 1.15
    half = dataclasses.replace(PAPER, acc_banks=16, acc_entries=64)
    assert crossbar.cycles_per_vector(addresses, half) > cycles


def test_all_products_come_out():
    rng = np.random.default_rng(3)
    queues, levels = crossbar.state(PAPER, 1)
    banks = rng.integers(0, 32, 16)
    assert crossbar.push(queues[0], levels[0], banks) == 16
    left = [crossbar.grant(queues[0], levels[0], n % 2) for n in range(16)]
    assert sum(left) == 16 and left[0] == len(set(banks.tolist())) and not levels.any()


@pytest.mark.parametrize("field, value, message", [
    ("queue_depth", 9, "queue_depth must be at most 8 for the cycle model, not 9"),
    ("acc_banks", 1024, "acc_banks must be at most 512 for the cycle model, not 1024"),
])
def test_refuses_what_the_words_cannot_hold(field, value, message):
    with pytest.raises(ValueError, match=message):
        crossbar.state(dataclasses.replace(PAPER, **{field: value}), 1)


def test_refuses_a_wrong_shape():
    with pytest.raises(ValueError, match=r"addresses must be of shape \[vectors, 16\], not \[3\]"):
        crossbar.cycles_per_vector(np.zeros(3, int), PAPER)
