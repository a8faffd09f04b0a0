"""Chains of layers: on chip where they fit, in segments where not, several images."""

import random
from dataclasses import replace

import numpy as np
import pytest

from golden.layers import Layer, Pool
from golden.scnn import decode, execute, golden
from golden.scnn.compile import compile
from golden.tensors import Tensors, synthetic
from hw.scnn.config import PRESETS
from tests.common.random_layers import random_tensors, random_values, with_pool
from tests.scnn.random_config import random_config


def random_chain(rnd):
    """Two to four layers, each reading the one before; FC layers flatten it."""
    out = []
    c, h, w = rnd.randint(1, 3), rnd.randint(4, 12), rnd.randint(4, 12)
    for n in range(rnd.randint(2, 4)):
        common = {"name": f"l{n}", "relu": rnd.random() < 0.5, "out_bits": 8,
                  "shift": rnd.randint(0, 5), "bias": rnd.random() < 0.5}
        if rnd.random() < 0.25:
            layer = Layer.fc(inputs=c * h * w, outputs=rnd.randint(1, 8), **common)
        else:
            groups = 1 if c % 2 or rnd.random() < 0.7 else 2
            layer = Layer(c=c, h=h, w=w, r=min(h, rnd.randint(1, 4)), s=min(w, rnd.randint(1, 4)),
                          k=groups * rnd.randint(1, 4), groups=groups,
                          pad=rnd.choice([0, 1, (0, 1, 2, 0)]), stride=rnd.randint(1, 3), **common)
            if rnd.random() < 0.4:
                layer = with_pool(rnd, layer)
        out.append(layer)
        c, h, w = layer.k, layer.out_h, layer.out_w
    return out


def last_outputs(layers, tensors, inputs, config):
    first = replace(tensors[0], activations=inputs)
    return golden.outputs(layers, [first, *tensors[1:]], config)[-1].outputs


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_random_chains_run_to_golden_outputs(first):
    segments = []
    for seed in range(first, first + 20):
        rnd, rng = random.Random(seed), np.random.default_rng(seed)
        config, layers = random_config(rnd), random_chain(rnd)
        tensors = [random_tensors(rng, layer) for layer in layers]
        inputs = [random_values(rng, layers[0].activations_shape)
                  for _ in range(rnd.choice([1, 1, 2, 3]))]
        try:
            program = compile(layers, tensors, config, inputs=inputs, actual=rnd.random() < 0.7)
        except ValueError as error:
            assert str(error)[:2] in ("l0", "l1", "l2", "l3")
            continue
        segments.append(len(program.segments))
        got = decode.outputs(execute.run(program), program)
        assert len(got) == len(inputs)
        for mine, one in zip(got, inputs, strict=True):
            assert np.array_equal(mine, last_outputs(layers, tensors, one, config))
    assert 1 in segments and len(segments) >= 10


def lenet(batch=1):
    """Two convolutions with pooling and an FC layer on the plane they leave."""
    common = {"relu": True, "bias": True, "out_bits": 8, "shift": 6, "batch": batch}
    return [Layer(name="conv1", c=1, h=8, w=8, k=8, r=3, s=3, pad=1, **common,
                  pool=Pool(kind="max", k=2, s=2)),
            Layer(name="conv2", c=8, h=4, w=4, k=16, r=3, s=3, pad=1, **common,
                  pool=Pool(kind="max", k=2, s=2)),
            Layer.fc("fc", 64, 10, **(common | {"relu": False}))]


@pytest.mark.parametrize("preset", ["demo", "small"])
def test_a_batch_goes_through_from_one_descriptor_list(preset):
    config = PRESETS[preset]
    layers = lenet(batch=3)
    tensors = [synthetic(layer, weight_density=0.4, seed=1, data_bits=8) for layer in layers]
    program = compile(layers, tensors, config)
    assert program.desc_count == 9
    assert [one.descriptor["weight_addr"] for one in program.passes[:3]] == [
        one.descriptor["weight_addr"] for one in program.passes[3:6]]
    got = np.stack(decode.outputs(execute.run(program), program))
    expected = golden.outputs(layers, tensors, config)[-1].outputs
    assert np.array_equal(got, expected) and expected.any()


def test_without_a_chain_every_layer_loads_and_stores():
    layers = lenet()
    tensors = [synthetic(layer, weight_density=0.4, seed=1, data_bits=8) for layer in layers]
    program = compile(layers, tensors, PRESETS["small"], chain=False)
    assert all(one.load is not None and one.stores for one in program.passes)
    memory = execute.run(program)
    for n, result in enumerate(golden.outputs(layers, tensors, PRESETS["small"], chain=False)):
        assert np.array_equal(decode.outputs(memory, program, n)[0], result.outputs)


def test_a_batch_of_fc_is_a_plane():
    layer = Layer.fc("fc", 30, 7, batch=6, shift=4)
    tensors = synthetic(layer, seed=2, data_bits=8)
    program = compile(layer, tensors, PRESETS["small"])
    assert program.desc_count == 1 and program.passes[0].split
    assert program.passes[0].tile.shape == (30, 2, 3)
    assert np.array_equal(decode.outputs(execute.run(program), program)[0],
                          golden.outputs([layer], [tensors], PRESETS["small"])[0].outputs)


def test_a_layer_on_chip_stores_nothing_that_can_be_decoded():
    layers = lenet()
    tensors = [synthetic(layer, seed=1, data_bits=8) for layer in layers]
    program = compile(layers, tensors, PRESETS["demo"])
    with pytest.raises(ValueError, match="conv1: outputs must be stored, they stay on chip"):
        decode.outputs(execute.run(program), program, 0)


def test_inputs_may_be_given_apart():
    layers = lenet()
    tensors = [synthetic(layer, seed=1, data_bits=8) for layer in layers]
    other = Tensors(tensors[0].weights, 1 - tensors[0].activations // 2, tensors[0].bias)
    program = compile(layers, tensors, PRESETS["demo"], inputs=[other.activations])
    got = decode.outputs(execute.run(program), program)[0]
    assert np.array_equal(got, last_outputs(layers, tensors, other.activations, PRESETS["demo"]))


def test_outputs_that_are_known_are_not_computed_again():
    layers = lenet()
    tensors = [synthetic(layer, seed=1, data_bits=8) for layer in layers]
    results = golden.outputs(layers, tensors, PRESETS["demo"])
    known = [result.outputs for result in results]
    program = compile(layers, tensors, PRESETS["demo"], known=[*known[:-1], None])
    assert program.image == compile(layers, tensors, PRESETS["demo"]).image
    wrong = compile(layers, tensors, PRESETS["demo"], known=[known[0], 0 * known[1], None])
    assert not wrong.passes[2].tile.any()
