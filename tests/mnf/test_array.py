"""Whole layers through generators, network and PEs."""
import math
import random
from dataclasses import replace

import numpy as np
import pytest

from golden import layers as arithmetic
from golden.mnf.mapping import mappings, search
from golden.tensors import synthetic
from hw.mnf.array import Array
from hw.mnf.config import PRESETS
from hw.mnf.pe import PE
from sim.common.runner import simulate
from sparseforge.networks.tables import vgg16
from tests.mnf.cases import fired_case


def layer_case(seed, config):
    """A layer, tensors, and its best mapping or any other one of a few passes."""
    layer, tensors, _, _ = fired_case(seed, config)
    best = search(layer, tensors.activations, config).mapping
    rnd = random.Random(seed)
    short = [m for m in mappings(layer, config) if m.passes <= 3]
    return layer, tensors, rnd.choice([best, rnd.choice(short or [best])])


def test_array():
    config = replace(PRESETS["tiny"], mesh_cols=2, mesh_rows=2, ports=2)
    cases = [layer_case(seed, config) for seed in range(60)]
    cases = [(layer, tensors, mapping) for layer, tensors, mapping in cases if mapping.passes <= 4
             and np.count_nonzero(tensors.activations) < 250
             and math.prod(layer.outputs_shape) > 50][:6]
    assert any(m.band_ways > 1 for *_, m in cases) and any(m.passes > 1 for *_, m in cases)
    simulate(Array(config), "sim.mnf.bench_array", simulator="icarus",
             config={"config": config, "cases": cases})


@pytest.mark.regress
def test_paper():
    """VGG16 conv4_2's plane and kernel, 4 of its input and 66 of its output channels: 11 PEs."""
    config = PRESETS["paper"]
    layer = replace(next(x for x in vgg16() if x.name == "conv4_2"), c=4, k=66, out_bits=8)
    tensors = synthetic(layer, weight_density=0.5, activation_density=0.5, data_bits=8, acc_bits=32)
    layer = arithmetic.reference(layer, tensors.weights, tensors.activations, tensors.bias).layer
    mapping = search(layer, tensors.activations, config).mapping
    simulate(Array(config), "sim.mnf.bench_array", simulator="verilator", hier=[PE],
             testcase="layers_come_out_whole/p_stall=0.0",
             config={"config": config, "cases": [(layer, tensors, mapping)]})
