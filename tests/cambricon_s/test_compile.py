"""compile: the image, run word by word, leaves golden's outputs; decoded, it is the tensors."""

import random
from dataclasses import replace

import numpy as np
import pytest

from golden import outputs
from golden.cambricon_s.compile import compile
from golden.cambricon_s.decode import Machine
from golden.cambricon_s.emit import Switches
from golden.cambricon_s.follow import tensors as decoded
from golden.cambricon_s.quantise import Submatrices
from golden.layers import Layer, Pool
from golden.tensors import Tensors, synthetic
from hw.cambricon_s.config import PRESETS
from tests.common.random_layers import SEEDS, random_layer, random_tensors

MAX = Pool(kind="max", k=3, s=2, ceil_mode=True)
AVERAGE = Pool(kind="avg", k=2, s=2, pad=1)


def layer_of(seed):
    layer = random_layer(random.Random(seed))
    return replace(layer, product_shift=0,
                   pool=None if layer.is_fc else layer.pool)


def executed(program):
    """The last layer's outputs, from the image alone; nothing else may change."""
    segment = program.segments[0]
    memory = np.frombuffer(bytearray(segment.image), np.uint8)
    Machine(program.config, memory, segment.base).run(segment.desc_addr, segment.desc_count)
    changed = np.flatnonzero(memory != np.frombuffer(segment.image, np.uint8)) + segment.base
    assert all(any(a <= at < b for a, b in segment.stored) for at in changed[:: 97])
    assert memory.tobytes() == segment.expected
    one, layer = segment.passes[-1], program.layers[-1]
    data = memory[one.target - segment.base:][:one.output.size].tobytes()
    planes = one.output.read(data, program.config.data_bits)
    if layer.is_fc:
        planes = planes.reshape(layer.k, layer.batch).T
    return planes.reshape(layer.outputs_shape)


def check(layers, given, cfg, **rest):
    program = compile(layers, given, cfg, **rest)
    expected = outputs.outputs(layers, given, cfg.acc_bits)
    assert np.array_equal(executed(program), expected[-1].outputs)
    return program


CONFIGS = {**PRESETS, "index_per_pe": replace(PRESETS["small"], shared_index=False)}


@pytest.mark.parametrize("preset", CONFIGS)
def test_random_layers(preset):
    for seed in range(0, SEEDS, 4 if preset == "tiny" else 2):
        layer = layer_of(seed)
        given = random_tensors(np.random.default_rng(seed), layer)
        try:
            program = check([layer], [given], CONFIGS[preset])
        except ValueError as error:
            assert preset == "tiny" and "buffers must hold" in str(error), (seed, error)
            continue
        weights, bias, seen = decoded(program)
        assert np.array_equal(weights, np.where(seen, given.weights, 0)), seed
        assert np.array_equal(bias, 0 * bias if given.bias is None else given.bias), seed


@pytest.mark.parametrize("switches", [Switches(s, d) for s in (0, 1) for d in (0, 1)])
def test_switches_change_no_output(switches):
    layer = Layer(c=20, h=7, w=6, k=18, r=3, s=2, pad=1, stride=2, shift=7, out_bits=8)
    given = synthetic(layer, weight_density=0.3, activation_density=0.5, data_bits=8)
    check([layer], [given], PRESETS["small"], switches=switches)


def test_every_tiling():
    """What the search did not choose is right, too."""
    from golden.cambricon_s.books import Books
    from golden.cambricon_s.stage import stage
    from golden.cambricon_s.tiling import Search
    from golden.program import Memory
    cfg = PRESETS["small"]
    layer = Layer(c=9, h=4, w=5, k=7, r=3, s=2, pad=1, shift=6, out_bits=8, bias=True, pool=MAX)
    given = synthetic(layer, weight_density=0.4, activation_density=0.6, data_bits=8)
    one = stage(0, layer, given, cfg)
    search = Search(one, Books(one, False), True, 0.6, Memory())
    found = list(search.candidates())
    assert {t.block for t in found} == {False, True} and len(found) > 8
    for tiling in random.Random(1).sample(found, 4):
        check([layer], [given], cfg, tilings=[tiling])


def test_a_chain_with_a_flattened_plane():
    layers = [Layer(name="a", c=3, h=9, w=8, k=20, r=3, s=3, pad=1, relu=True, shift=5, out_bits=8,
                    pool=MAX, batch=2),
              Layer(name="b", c=20, h=4, w=4, k=5, r=2, s=2, shift=6, out_bits=8, batch=2,
                    relu=True),
              Layer.fc("c", 45, 7, shift=4, out_bits=8, bias=True, batch=2),
              Layer.fc("d", 7, 3, shift=4, out_bits=8, batch=2)]
    given = [synthetic(layer, weight_density=0.6, data_bits=8, seed=n)
             for n, layer in enumerate(layers)]
    for preset in ("small", "paper"):
        program = check(layers, given, PRESETS[preset])
        for n in (1, 2, 3):
            weights, _, seen = decoded(program, n)
            assert np.array_equal(weights, np.where(seen, given[n].weights, 0))


def test_codebooks_of_sub_matrices():
    """Each sub-matrix has few values, the layer many: codebooks make the SB's rows shorter."""
    rng = np.random.default_rng(1)
    layer = Layer.fc("fc", 64, 48, shift=6, out_bits=16)
    values = rng.integers(-3000, 3000, (3, 4, 15))
    weights = np.zeros((48, 64), np.int64)
    for row in range(3):
        for column in range(4):
            weights[row * 16:row * 16 + 16, column * 16:column * 16 + 16] = rng.choice(
                values[row, column], (16, 16))
    given = Tensors(weights.reshape(48, 64, 1, 1), rng.integers(0, 99, (64, 1, 1)))
    sizes = {}
    for name, cut in (("local", Submatrices(outputs=16, inputs=16)), ("global", Submatrices())):
        program = check([layer], [given], PRESETS["paper"], cuts=[cut])
        one = program.passes[0]
        sizes[name] = set(one.column("compute", "width").tolist())
    assert sizes["global"] == {3} and sizes["local"] <= {2, 3}


def test_empty_groups_and_no_neurons():
    layer = Layer(c=8, h=5, w=5, k=40, r=3, s=3, pad=(3, 0, 3, 0), bias=True, shift=2, out_bits=8,
                  stride=2)
    given = synthetic(layer, weight_density=0.5, activation_density=0.5, data_bits=8)
    given.weights[16:33] = 0
    check([layer], [given], PRESETS["paper"])
    given.activations[:] = 0
    check([layer], [given], PRESETS["paper"])
    given.weights[:] = 0
    check([layer], [given], PRESETS["small"])


def test_pooling_over_edges():
    for pool in (AVERAGE, MAX, Pool(kind="max", k=3, s=1, pad=2)):
        layer = Layer(c=5, h=7, w=6, k=6, r=1, s=1, shift=3, out_bits=8, pool=pool, relu=True)
        given = synthetic(layer, data_bits=8)
        check([layer], [given], PRESETS["small"])


@pytest.mark.parametrize(("layer", "message"), [
    ({"out_bits": 20}, "out_bits must be at most data_bits"),
    ({"product_shift": 1}, "product_shift must be 0"),
    ({"multiplier": 70_000}, "multiplier must be below 65536"),
])
def test_refusals(layer, message):
    layer = Layer(**{"c": 4, "h": 4, "w": 4, "k": 4, "r": 1, "s": 1, "shift": 0} | layer)
    given = Tensors(np.ones(layer.weights_shape, np.int64),
                    np.ones(layer.activations_shape, np.int64))
    with pytest.raises(ValueError, match=message):
        compile([layer], [given], PRESETS["small"])


def test_a_changed_word_is_seen():
    layer = Layer(c=4, h=4, w=4, k=4, r=1, s=1, shift=0, out_bits=8)
    given = synthetic(layer, data_bits=8)
    program = compile([layer], [given], PRESETS["small"])
    segment, one = program.segments[0], program.passes[0]
    image = bytearray(segment.image)
    image[one.program_at - segment.base] ^= 1
    machine = Machine(program.config, np.frombuffer(image, np.uint8), segment.base)
    with pytest.raises(ValueError, match="CRC must be that of the word"):
        machine.run(segment.desc_addr, 1)
