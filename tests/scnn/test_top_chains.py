"""Chains of layers on the whole accelerator: outputs, cycles and counters of every segment."""

import random
from dataclasses import replace

import numpy as np
import pytest

from golden.program import Memory
from golden.scnn import golden
from golden.scnn.compile import compile
from golden.scnn.cycles import cycles
from hw.scnn.config import PRESETS
from sim.scnn.run import RTL
from tests.common.random_layers import SEEDS, random_tensors, random_values
from tests.scnn.test_chain import random_chain


def programs(config, first, count):
    """`count` chains that fit: (inputs, layers, tensors, program), one or two images each."""
    out, seed = [], first
    while len(out) < count:
        rnd, rng = random.Random(seed), np.random.default_rng(seed)
        seed += 1
        layers = random_chain(rnd)
        tensors = [random_tensors(rng, layer) for layer in layers]
        inputs = [random_values(rng, layers[0].activations_shape)
                  for _ in range(rnd.choice([1, 1, 2]))]
        try:
            program = compile(layers, tensors, config, inputs=inputs)
        except ValueError:
            continue
        out.append((inputs, layers, tensors, program))
    return out


@pytest.mark.parametrize("preset, memory", [
    ("small", Memory()),
    ("tiny", Memory(latency=7, outstanding=2, bandwidth=(2, 5))),
])
def test_random_chains(preset, memory):
    config = PRESETS[preset]
    given = programs(config, 300, SEEDS)
    runs = RTL.run(RTL.build(config, "verilator"), [p for *_, p in given], memory=memory)
    lengths = set()
    for (inputs, layers, tensors, program), run in zip(given, runs, strict=True):
        assert all(code == 0 for code, _ in run.errors), (layers, run.errors)
        for image, got in zip(inputs, run.outputs(), strict=True):
            chain = [replace(tensors[0], activations=image), *tensors[1:]]
            want = golden.outputs(layers, chain, config)[-1].outputs
            assert np.array_equal(np.asarray(got).reshape(want.shape), want), layers
        report = cycles(program, **memory.as_dict())
        assert run.cycles == report.segment_cycles, layers
        assert run.counters == report.counters and run.causes == report.causes, layers
        lengths |= {len(s.passes) for s in program.segments}
    assert max(lengths) > 2, "no chain of three layers stayed on chip"
