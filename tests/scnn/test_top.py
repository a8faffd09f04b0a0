"""The whole accelerator: random layers on random machines, outputs, cycles, counters, errors."""

import os
import random

import numpy as np
import pytest

from golden.scnn import golden
from golden.scnn.compile import compile
from golden.scnn.cycles import cycles
from golden.scnn.layer import Memory
from hw.scnn.config import PRESETS
from sim.scnn.run import build_top, run_programs
from tests.scnn.random_layers import random_config, random_layer, random_tensors

SEEDS = int(os.environ.get("SPARSEFORGE_SEEDS", "20"))
CANNOT = ("must fit into", "must hold at most max_channels")


def made(seed, config):
    """A random layer's program for `config`, its tensors; None if the machine is too small."""
    layer = random_layer(random.Random(seed))
    tensors = random_tensors(np.random.default_rng(seed), layer)
    try:
        return layer, tensors, compile(layer, tensors, config)
    except ValueError as error:
        assert any(rule in str(error) for rule in CANNOT), error
        return None


def programs(config, first, count):
    """`count` programs from seeds `first` on."""
    out, seed = [], first
    while len(out) < count:
        one = made(seed, config)
        if one:
            out.append((seed, *one))
        seed += 1
    return out


def check(config, given, runs, memory):
    """Outputs bit for bit; cycles and counters equal to the model's."""
    for (seed, layer, tensors, program), run in zip(given, runs, strict=True):
        assert all(code == 0 for code, _ in run.errors), (seed, run.errors)
        expected = golden.outputs([layer], [tensors], config)[0].outputs
        assert np.array_equal(np.stack(run.outputs()).reshape(expected.shape), expected), seed
        if memory is None:
            continue
        report = cycles(program, **memory.as_dict())
        assert run.cycles == report.segment_cycles, (seed, layer)
        assert run.products == report.products, (seed, layer)
        assert run.causes == report.causes, (seed, layer)


@pytest.mark.parametrize("machine", range(4))
def test_random_machines_in_icarus(machine):
    config = random_config(random.Random(1000 + machine))
    given = programs(config, 100 * machine, SEEDS // 4)
    build = build_top(config, "icarus")
    rnd = random.Random(machine)
    memory = Memory(latency=rnd.choice([1, 20, 64]), outstanding=rnd.choice([1, 2, 8]),
                    bandwidth=rnd.choice([(1, 1), (1, 2), (2, 3)]))
    runs = run_programs(build, [p for *_, p in given], memory=memory)
    check(config, given, runs, memory)


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_random_layers(simulator, preset):
    config = PRESETS[preset]
    given = programs(config, 5000, SEEDS)
    build = build_top(config, simulator)
    check(config, given, run_programs(build, [p for *_, p in given]), Memory())


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_random_stalls_on_every_channel(preset):
    config = PRESETS[preset]
    given = programs(config, 9000, SEEDS)
    build = build_top(config, "icarus")
    stalls = {"ar": 0.3, "r": 0.5, "aw": 0.3, "w": 0.5, "b": 0.4, "seed": 7}
    check(config, given, run_programs(build, [p for *_, p in given], stalls=stalls), None)
