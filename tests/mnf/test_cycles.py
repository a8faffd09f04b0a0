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


@pytest.mark.parametrize("change, message", [
    ({"mesh_cols": 8, "mesh_rows": 8}, "meshes of at most 40 nodes, not 64"),
    ({"weight_offset_bits": 3}, "weight_offset_bits must be 0, not 3")])
def test_refusals(change, message):
    layer = Layer.fc("fc", 20, 6, out_bits=8)
    config = replace(SMALL, **change)
    program = compile(layer, random_tensors(np.random.default_rng(2), layer), config)
    with pytest.raises(ValueError, match=message):
        cycles(program)
