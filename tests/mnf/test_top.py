"""The whole accelerator: random layers, outputs and counters."""

import random
from dataclasses import replace

import numpy as np
import pytest

from golden.mnf.compile import compile
from golden.outputs import outputs
from golden.tensors import Tensors
from hw.mnf.config import PRESETS
from sim.common.design import BENCH
from tests.common.harness import STALLS, same
from tests.common.random_layers import random_values
from tests.mnf.design import MNF


def programs(cases):
    return [case.program for case in cases]


def sane(run):
    """What holds in every run, whatever memory it had."""
    pes = run.program.config.pes
    assert sum(run.causes.values()) == pes * sum(run.cycles)
    assert sum(run.counters[f"busy_{n + 1}"] for n in range(pes)) == run.causes["compute"]
    assert run.counters["spilled"] <= run.counters["fired"]
    assert run.counters["macs"] <= run.causes["compute"] * run.program.config.lanes


@pytest.mark.parametrize("preset, simulator", [("tiny", "icarus"), ("small", "verilator")])
@pytest.mark.parametrize("stalls", [{}, STALLS], ids=["plain", "stalls"])
def test_random_layers(preset, simulator, stalls):
    config = PRESETS[preset]
    given = MNF.cases(config, 9000 if stalls else 5000)
    build = MNF.rtl.build(config, simulator)
    options = {"stalls": {**stalls, "seed": 7}} if stalls else {}
    runs = MNF.rtl.run(build, programs(given), **options)
    MNF.check(given, runs, None if stalls else BENCH)
    for run in runs:
        sane(run)


@pytest.mark.regress
@pytest.mark.parametrize("preset, simulator", [("small", "icarus"), ("tiny", "verilator")])
def test_random_layers_the_other_way_round(preset, simulator):
    test_random_layers(preset, simulator, {})


def chain(seed, config):
    """Three layers, each of which reads what the one before left on chip; None if one does not
    fit."""
    rnd, rng = random.Random(seed), np.random.default_rng(seed)
    layers, shape = [], None
    while len(layers) < 3:
        one = MNF.layer(rnd)
        if shape:
            c, h, w = shape
            try:
                one = replace(one, c=c, h=h, w=w, groups=1)
            except ValueError:
                continue
        try:
            shape = one.outputs_shape
        except ValueError:
            continue
        layers.append(one)
    tensors = [Tensors(random_values(rng, one.weights_shape),
                       random_values(rng, one.activations_shape),
                       rng.integers(-128, 128, one.k) if one.bias else None) for one in layers]
    try:
        return layers, tensors, compile(layers, tensors, config)
    except ValueError:
        return None


@pytest.mark.parametrize("events", [700, 24])
def test_chains_stay_on_chip(events):
    """Of storage that holds a map, and of storage that does not."""
    config = replace(PRESETS["tiny"], storage_events=events)
    given = [one for seed in range(60) if (one := chain(seed, config))][:6]
    assert len(given) == 6
    runs = MNF.rtl.run(MNF.rtl.build(config, "icarus"), [program for *_, program in given])
    for (layers, tensors, _), run in zip(given, runs, strict=True):
        assert run.errors == ((0, 0),), layers
        assert same(run.outputs(), outputs(layers, tensors, config.acc_bits)[-1].outputs), layers
        sane(run)
    spilled = [run.counters["spilled"] > run.outputs()[0].astype(bool).sum() for run in runs]
    assert any(spilled) == (events < 100)
