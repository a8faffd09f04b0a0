"""The performance model of whole programs: sums, limits, and what must not change the result."""

import dataclasses

import numpy as np
import pytest

from golden.layers import Layer, Pool
from golden.scnn.compile import compile
from golden.scnn.cycles import cycles
from golden.tensors import synthetic
from hw.scnn.config import PRESETS

SMALL, TINY = PRESETS["small"], PRESETS["tiny"]


def random_layer(seed, config):
    """A small convolution with everything that changes cycles."""
    rng = np.random.default_rng(seed)
    r, s = (int(n) for n in rng.integers(1, 4, 2))
    pool = None
    if seed % 2:
        kind = ("max", "avg")[int(rng.integers(2))]
        pool = Pool(kind=kind, k=2, s=int(rng.integers(1, 3)))
    return Layer(name=f"layer{seed}", c=int(rng.integers(1, 6)), h=int(rng.integers(6, 11)),
                 w=int(rng.integers(6, 11)), k=int(rng.integers(1, 12)), r=r, s=s,
                 stride=int(rng.integers(1, 3)), pad=int(rng.integers(0, 2)), pool=pool,
                 relu=bool(rng.integers(2)), bias=bool(rng.integers(2)),
                 out_bits=config.data_bits)


def program(layer, config, weights=0.4, activations=0.5, seed=1, **options):
    tensors = synthetic(layer, weight_density=weights, activation_density=activations,
                        data_bits=config.data_bits, acc_bits=config.acc_bits, seed=seed)
    return compile(layer, tensors, config, **options)


@pytest.mark.parametrize("config", [SMALL, TINY], ids=["small", "tiny"])
@pytest.mark.parametrize("seed", range(6))
def test_everything_sums(config, seed):
    report = cycles(program(random_layer(seed, config), config))
    assert sum(report.causes.values()) == config.pes * report.cycles
    assert sum(report.waterfall.values()) == config.multipliers * report.cycles
    assert min(report.waterfall.values()) >= 0 and min(report.causes.values()) >= 0
    assert report.causes["multiply"] == report.vectors
    assert 0 <= report.behind <= report.causes["starved"]
    tiled = len(report.passes) > 1
    assert report.cycles_layer == report.cycles if tiled else report.cycles_layer < report.cycles
    assert report.products <= report.vectors * config.lanes
    assert report.layer(0).cycles == report.cycles
    assert report.layer(0).causes == report.causes
    busy = report.busy(20)
    assert busy.shape == (config.pes, 20) and (busy >= 0).all() and (busy <= 1 + 1e-9).all()
    assert round(busy.sum() * report.cycles / 20) == report.vectors


def test_products_are_those_of_the_tensors():
    """Without stride and padding every pair of a channel meets in some output or lies outside."""
    layer = Layer(name="all", c=4, h=6, w=6, k=5, r=1, s=1, out_bits=16)
    tensors = synthetic(layer, weight_density=0.5, activation_density=0.5, data_bits=16,
                        acc_bits=24, seed=3)
    report = cycles(compile(layer, tensors, SMALL))
    weights = np.count_nonzero(tensors.weights, axis=(0, 2, 3))
    activations = np.count_nonzero(tensors.activations, axis=(1, 2))
    assert report.products == int(weights @ activations)


def test_processes_change_nothing(monkeypatch):
    monkeypatch.setattr("golden.scnn.cycles.WORTH_FORKING", 0)
    layers = [random_layer(seed, SMALL) for seed in (0, 1, 2)]
    tensors = [synthetic(layer, weight_density=0.4, activation_density=0.5, data_bits=16,
                         acc_bits=24, seed=1) for layer in layers]
    many = compile(layers, tensors, SMALL, chain=False)
    one = cycles(many, workers=1, bandwidth=(1, 3)).as_dict()
    assert one == cycles(many, workers=2, bandwidth=(1, 3)).as_dict()
    assert len(one["passes"]) == 3


def test_a_slower_memory_is_never_faster():
    given = program(random_layer(3, SMALL), SMALL)
    counts = [cycles(given, latency=n).cycles for n in (1, 8, 64, 300)]
    assert counts == sorted(counts) and counts[0] < counts[-1]
    counts = [cycles(given, bandwidth=(1, n)).cycles for n in (1, 2, 5)]
    assert counts == sorted(counts) and counts[0] < counts[-1]
    assert cycles(given, outstanding=1).cycles >= cycles(given).cycles


def test_the_first_run_clears_the_accumulators():
    given = program(random_layer(2, SMALL), SMALL)
    cold, warm = (cycles(given, latency=1, cold=first) for first in (True, False))
    assert 0 < cold.cycles - warm.cycles <= 2 * (SMALL.acc_entries + 5)
    assert cold.products == warm.products


@pytest.mark.parametrize("seed", range(4))
def test_fewer_nonzeros_are_never_slower(seed):
    """Weights are removed from one tensor, nothing else changes."""
    layer = dataclasses.replace(random_layer(2 * seed, SMALL), shift=4, relu=False)
    tensors = synthetic(layer, weight_density=1.0, activation_density=0.6, data_bits=16,
                        acc_bits=24, seed=seed)
    keep = np.random.default_rng(seed).random(tensors.weights.shape)
    counts = []
    for density in (0.1, 0.5, 1.0):
        pruned = dataclasses.replace(tensors, weights=tensors.weights * (keep < density))
        counts.append(cycles(compile(layer, pruned, SMALL)).cycles_layer)
    assert counts == sorted(counts)


@pytest.mark.parametrize("options, message", [
    ({"latency": 0}, "latency must be at least 1, not 0"),
    ({"bandwidth": (2, 1)}, "bandwidth must be BEATS/CYCLES with 1 ≤ BEATS ≤ CYCLES, not 2/1"),
])
def test_refuses_a_memory_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        cycles(program(random_layer(0, SMALL), SMALL), **options)


def test_needs_the_outputs():
    given = program(random_layer(0, SMALL), SMALL)
    segment = given.segments[0]
    blind = dataclasses.replace(segment.passes[0], result=None)
    unknown = dataclasses.replace(given, segments=(dataclasses.replace(
        segment, passes=(blind, *segment.passes[1:])),))
    with pytest.raises(ValueError, match="layer0: cycles need the outputs' zeros"):
        cycles(unknown)
