"""The memory image: back to the tensors it was made of, and what it refuses."""

import numpy as np
import pytest

from golden import layers as arithmetic
from golden.layers import Layer, Pool
from golden.s2engine import decode, layout
from golden.s2engine.compile import compile
from golden.s2engine.image import program
from golden.tensors import Tensors, synthetic
from hw.s2engine.config import PRESETS, S2Config

CONFIG = S2Config(rows=4, cols=3, group=4, mixed=True, fb_tokens=400, wb_tokens=500,
                  max_kernels=40, memory_bits=64)
LAYERS = [
    Layer(c=5, h=4, w=5, k=4, r=3, s=3, pad=1, bias=True),
    Layer(c=3, h=7, w=6, k=7, r=4, s=3, stride=2, pad=(1, 2, 0, 1)),
    Layer(c=8, h=5, w=5, k=16, r=2, s=2, groups=2, batch=2),
    Layer(c=2, h=9, w=9, k=3, r=2, s=5, stride=3, pool=Pool(kind="max", k=2, s=1)),
    Layer(c=20, h=3, w=3, k=60, r=3, s=3, pad=1),           # several blocks of kernels
    Layer.fc("fc", 33, 9, batch=5),
]


def padded(one):
    """The features that the pass's kernels touch, padding included, from its stage."""
    plan = one.plan
    dense = plan.stage.features(plan.image, plan.part, CONFIG.group)
    return dense.transpose(0, 3, 1, 2).reshape(-1, *dense.shape[1:3])


@pytest.mark.parametrize("layer", LAYERS, ids=range(len(LAYERS)))
@pytest.mark.parametrize("bits", [8, 12])
def test_back_to_tensors(layer, bits):
    given = synthetic(layer, weight_density=0.5, activation_density=0.6, data_bits=bits,
                      acc_bits=32)
    made = program(compile(layer, given, CONFIG), base=0x1000)
    for segment in made.segments:
        assert len(segment.image) % 4096 == 0
        for one, d in zip(segment.passes, decode.descriptors(segment, CONFIG), strict=True):
            assert {name: d[name] for name in one.descriptor} == one.descriptor
            k = slice(one.plan.first, one.plan.last)
            w = decode.weights(segment.image, segment.base, d, CONFIG)
            depth = layer.c // layer.groups
            assert (w[:, :depth] == given.weights[k]).all() and not w[:, depth:].any()
            f = decode.features(segment.image, segment.base, d, CONFIG)
            assert (f == padded(one)).all()
            if layer.bias:
                b = decode.biases(segment.image, segment.base, d, CONFIG)
                assert (b == given.bias[k]).all()
            first, end = one.stored
            assert segment.base <= first < end <= segment.base + len(segment.image)
            assert first <= d["store_addr"] < end


@pytest.mark.parametrize("layer", LAYERS, ids=range(len(LAYERS)))
def test_outputs_are_read_where_they_are_stored(layer):
    """Golden's outputs, written as the hardware would, come back."""
    given = synthetic(layer, weight_density=0.5, activation_density=0.6, data_bits=8, acc_bits=32)
    made = program(compile(layer, given, CONFIG))
    memories = []
    for segment in made.segments:
        memory = bytearray(segment.image)
        for one in segment.passes:
            write(memory, one)
        memories.append(bytes(memory))
    expected = arithmetic.reference(layer, given.weights, given.activations, given.bias).outputs
    got = decode.outputs(memories, made, 0)
    assert (np.stack(got).reshape(expected.shape) == expected).all()


def write(memory, one):
    """A pass's outputs into memory, group by group."""
    d, plan = one.descriptor, one.plan
    values = plan.stage.outputs[plan.image][plan.first:plan.last]
    groups = -(-len(values) // CONFIG.group)
    values = np.pad(values, ((0, groups * CONFIG.group - len(values)), (0, 0), (0, 0)))
    line = CONFIG.line_bits // 8
    for c in range(groups):
        for y in range(d["pooled_rows"]):
            dense = values[c * CONFIG.group:(c + 1) * CONFIG.group, y].T
            data = layout.feature_lines(dense, d["store_slots"], CONFIG,
                                        np.full(len(dense), CONFIG.group)).tobytes()
            at = d["store_addr"] + (c * d["store_group_lines"] + y * d["store_row_lines"]) * line
            memory[at:at + len(data)] = data


def test_a_chain_reads_what_was_stored():
    """The second layer's features are the first one's region, its padding there already."""
    layers = [Layer(name="a", c=4, h=6, w=5, k=8, r=3, s=3, pad=1, relu=True),
              Layer(name="b", c=8, h=6, w=5, k=6, r=3, s=3, pad=1, groups=2),
              Layer.fc("c", 6 * 6 * 5, 4)]
    given = [synthetic(layer, weight_density=0.5, data_bits=8, acc_bits=32) for layer in layers]
    made = program(compile(layers, given, CONFIG))
    assert len(made.segments) == 2      # c's groups would span channels of b's two halves
    first, *rest = made.segments[0].passes
    memory = bytearray(made.segments[0].image)
    write(memory, first)
    for one in rest:
        f = decode.features(bytes(memory), 0, one.descriptor, CONFIG)
        assert (f == padded(one)).all()


def test_lines_are_checked():
    layer = LAYERS[0]
    made = program(compile(layer, synthetic(layer, data_bits=8, acc_bits=32), CONFIG))
    segment = made.segments[0]
    d = decode.descriptors(segment, CONFIG)[0]
    bad = bytearray(segment.image)
    bad[d["weight_addr"] + 3] ^= 4
    with pytest.raises(ValueError, match="CRC must be"):
        decode.weights(bytes(bad), 0, d, CONFIG)


def test_neither_flow_fits():
    config = S2Config(rows=2, cols=2, group=4, fb_tokens=16, wb_tokens=16)
    layer = Layer(c=40, h=2, w=2, k=2, r=1, s=1, out_bits=8)
    work = compile(layer, synthetic(layer, data_bits=8), config)
    with pytest.raises(ValueError, match=r"or its weights .* wb_tokens"):
        program(work)
    sparse = synthetic(layer, weight_density=0.05, data_bits=8)
    one = program(compile(layer, sparse, config)).passes[0]
    assert (one.descriptor["f_loads"], one.descriptor["w_stream"]) == (1, 0)


def test_features_of_a_kernel_row_do_not_fit():
    """Nine dense groups of 4 channels; the weights would fit."""
    config = S2Config(rows=2, cols=2, group=4, fb_tokens=32, wb_tokens=512)
    layer = Layer(c=8, h=3, w=12, k=2, r=3, s=9, out_bits=8)
    work = compile(layer, synthetic(layer, data_bits=8), config)
    with pytest.raises(ValueError, match=r"of a kernel row \(36 tokens\) must fit fb_tokens"):
        program(work)


def test_windows_beyond_the_pooling_buffer():
    config = S2Config(rows=2, cols=2, group=4, pool_groups=16)
    layer = Layer(c=4, h=6, w=6, k=4, r=1, s=1, out_bits=8, pool=Pool(kind="max", k=3, s=3))
    with pytest.raises(ValueError, match=r"3 output lines of 6 pixels must fit pool_groups"):
        compile(layer, synthetic(layer, data_bits=8), config)


def test_the_papers_group_fits_two_beats():
    paper = PRESETS["paper"]
    assert paper.line_beats == 2
    zero = Tensors(np.zeros((1, 16, 1, 1), int), np.zeros((16, 1, 1), int))
    layer = Layer(c=16, h=1, w=1, k=1, r=1, s=1, out_bits=8)
    made = program(compile(layer, zero, paper))
    assert made.passes[0].descriptor["group_lines"] == 1
