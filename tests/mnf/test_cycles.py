"""The cycle model where no RTL is needed: bounds, chains, refusals. (Equality: test_top.)"""
from dataclasses import replace

import numpy as np
import pytest

from golden.layers import Layer
from golden.mnf.compile import compile
from golden.mnf.cycles import cycles
from golden.program import Memory
from hw.mnf.config import PRESETS
from tests.common.random_layers import random_tensors
from tests.mnf.cases import random_chain

SMALL = PRESETS["small"]


def test_layers_sum_to_the_run():
    layers, tensors = random_chain(3, SMALL)
    report = cycles(compile(layers, tensors, SMALL))
    parts = [report.layer(n) for n in range(len(layers))]
    assert sum(part.cycles for part in parts) == report.cycles
    assert {name: sum(part.causes[name] for part in parts) for name in report.causes
            } == report.causes
    assert report.cycles_layer == sum(part.cycles_layer for part in parts) < report.cycles


def test_the_heat_map_has_every_cycle():
    layer = Layer(c=3, h=9, w=8, k=7, r=3, s=3, pad=1, out_bits=8)
    program = compile(layer, random_tensors(np.random.default_rng(1), layer), SMALL)
    plain, mapped = cycles(program), cycles(program, width=16)
    assert plain.causes == mapped.causes and plain.cycles == mapped.cycles
    assert mapped.heat.sum() == SMALL.pes * (mapped.cycles - 3)
    assert mapped.heat[:, :, 0].sum() == mapped.causes["compute"]
    # Every event of every port goes through a first router; every result comes out of one.
    assert mapped.links[:, 2].sum() >= mapped.counters["events"]


def test_resident_weights_save_their_way():
    layer = Layer.fc("fc", 200, 60, out_bits=8)
    tensors = random_tensors(np.random.default_rng(2), layer)
    loaded, resident = (cycles(compile(layer, tensors, SMALL, resident=kind))
                        for kind in (False, True))
    assert resident.counters == {**loaded.counters} and resident.cycles < loaded.cycles
    assert resident.causes["compute"] == loaded.causes["compute"]
    with pytest.raises(ValueError, match="for the model alone"):
        compile(layer, tensors, SMALL, resident=True).image     # noqa: B018


def test_a_slower_memory_is_slower():
    layer = Layer(c=3, h=9, w=8, k=7, r=3, s=3, pad=1, out_bits=8)
    program = compile(layer, random_tensors(np.random.default_rng(1), layer), SMALL)
    times = [cycles(program, memory).cycles for memory in (
        Memory(latency=1), Memory(), Memory(bandwidth=(1, 4)))]
    assert times[0] < times[1] < times[2]


def test_meshes_that_a_flit_s_number_has_no_room_for():
    layer = Layer.fc("fc", 20, 6, out_bits=8)
    config = replace(SMALL, mesh_cols=8, mesh_rows=8)
    program = compile(layer, random_tensors(np.random.default_rng(2), layer), config)
    with pytest.raises(ValueError, match="meshes of at most 40 nodes, not 64"):
        cycles(program)


def test_the_fastest_of_some_mappings():
    """The model may find an estimate's second best mapping better, and never a worse one."""
    better = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        layer = Layer(c=4, h=9 + seed, w=8, k=7, r=3, s=3, pad=1, out_bits=8)
        tensors = random_tensors(rng, layer)
        first, best = (cycles(compile(layer, tensors, SMALL, modelled=count)).cycles_layer
                       for count in (1, 4))
        assert best <= first
        better += best < first
    assert better
