"""compile: what it lays out, run by the executor, gives the golden outputs."""

import random
from dataclasses import replace

import numpy as np
import pytest

from golden.layers import Layer, Pool
from golden.scnn import decode, execute, golden
from golden.scnn.compile import compile
from golden.tensors import synthetic
from hw.scnn.config import PRESETS
from tests.common.random_layers import random_layer, random_tensors
from tests.scnn.random_config import random_config

CANNOT = ("must fit into", "must hold at most max_channels")


def attempt(seed):
    """A random program with what it was made of; None if the configuration is too small."""
    rnd, rng = random.Random(seed), np.random.default_rng(seed)
    config, layer = random_config(rnd), random_layer(rnd)
    tensors = random_tensors(rng, layer)
    try:
        return config, layer, tensors, compile(layer, tensors, config, actual=rnd.random() < 0.7)
    except ValueError as error:
        assert str(error).startswith("layer: ") and any(rule in str(error) for rule in CANNOT)
        return None


@pytest.mark.parametrize("first", range(0, 240, 20))
def test_random_layers_run_to_golden_outputs(first):
    """And every image decodes to the layer's tensors."""
    made = [m for m in (attempt(seed) for seed in range(first, first + 20)) if m]
    assert len(made) >= 10
    for config, layer, tensors, program in made:
        got = np.stack(decode.outputs(execute.run(program), program))
        expected = golden.outputs([layer], [tensors], config)[0].outputs
        assert np.array_equal(got.reshape(expected.shape), expected)
        check_image(program, tensors)


def check_image(program, tensors):
    """Descriptors, weights, biases and loads of the image against the tensors."""
    config = program.config
    for segment in program.segments:
        fields = decode.descriptors(segment.image, segment.base, segment.desc_addr,
                                    segment.desc_count, config)
        for d, one in zip(fields, segment.passes, strict=True):
            table = decode.section(segment.image, segment.base, d["weight_addr"],
                                   d["weight_lines"], config)
            weights = decode.weights(table, one, config)
            part = one.outputs[0]
            assert np.array_equal(weights.reshape(-1), tensors.weights[part].reshape(-1))
            biases = decode.biases(table, one, config)
            given = np.zeros(len(tensors.weights)) if tensors.bias is None else tensors.bias
            assert np.array_equal(biases, given[part])
            if d["load"]:
                table = decode.section(segment.image, segment.base, d["load_addr"],
                                       d["load_lines"], config)
                touched = np.ix_([True] * one.planes, kept(one.rows.span), kept(one.cols.span))
                expected = np.zeros_like(one.tile)
                expected[touched] = one.tile[touched]
                assert np.array_equal(decode.loaded(table, one, config), expected)


def kept(span):
    """Input cells that some tap touches: those of other phases are never loaded."""
    return (np.arange(span.inputs) + span.pad) % span.stride < span.phases


def test_channels_too_many_for_a_pe_are_dealt():
    """Twenty channels need twenty rows; the PEs have eight each."""
    config = replace(PRESETS["small"], ram_elements=16)
    layer = Layer(name="deep", c=20, h=4, w=3, k=5, r=2, s=1, shift=None, out_bits=8)
    tensors = synthetic(layer, seed=1, data_bits=8)
    program = compile(layer, tensors, config)
    assert all(one.split and one.channels == 5 for one in program.passes)
    assert np.array_equal(decode.outputs(execute.run(program), program)[0],
                          golden.outputs([layer], [tensors], config)[0].outputs)


def test_a_global_pooling_uses_fewer_pes():
    """Halos over four hops cost more than the products that more PEs would save."""
    config = replace(PRESETS["small"], pe_rows=4, pe_cols=4)
    layer = Layer(name="last", c=8, h=4, w=4, k=8, r=3, s=3, pad=1, shift=6, out_bits=8,
                  pool=Pool(kind="avg", k=4, s=4))
    tensors = synthetic(layer, seed=1, data_bits=8, activation_density=0.5)
    program = compile(layer, tensors, config)
    one = program.passes[0]
    assert len(one.rows.filled) * len(one.cols.filled) < 16
    assert np.array_equal(decode.outputs(execute.run(program), program)[0],
                          golden.outputs([layer], [tensors], config)[0].outputs)


def test_a_channel_advance_beyond_15_begins_a_line():
    """The step between slots has four bits: 15 channels further is one, 16 is not."""
    layer = Layer(name="far", c=36, h=1, w=1, k=1, r=1, s=1, shift=0, out_bits=8)
    tensors = synthetic(layer, seed=1, data_bits=8)
    sparse = np.zeros_like(tensors.weights)
    sparse[0, [1, 16, 32]] = 1
    tensors = replace(tensors, weights=sparse)
    config = replace(PRESETS["small"], pe_rows=1, pe_cols=1, weight_bus=4)
    for split in (True, False):     # an FC layer is dealt; the same as a plane of two is not
        if not split:
            layer = replace(layer, w=2)
            tensors = replace(tensors, activations=np.repeat(tensors.activations, 2, axis=2))
        program = compile(layer, tensors, config)
        table = program.passes[0].weights
        assert program.passes[0].split == split
        assert table.channel[table.kind == 1].tolist() == [1, 16, 32]
        assert (table.kind == 1).sum(axis=1).tolist() == ([0, 2, 1] if split else [2, 1])
        check_image(program, tensors)
