"""Programs: their images, run word by word, give golden's outputs; what cannot be is refused."""
import random
from dataclasses import replace

import numpy as np
import pytest

from golden.formats.lines import seal
from golden.layers import Layer, Pool
from golden.mnf import image
from golden.mnf.compile import compile
from golden.mnf.decode import outputs
from golden.mnf.events import Pixels
from golden.mnf.machine import Machine
from golden.tensors import Tensors
from hw.mnf import fields
from hw.mnf.config import PRESETS
from tests.common.random_layers import SEEDS, random_layer, random_tensors
from tests.mnf.cases import random_chain

TINY = PRESETS["tiny"]


def ran(program):
    """The outputs of the last layer, from the image alone."""
    memory = Machine(program.config, program.image, program.base).run(program.desc_addr,
                                                                      program.desc_count)
    return outputs([memory], program)[0]


def checked(program):
    assert (ran(program) == program.passes[-1].outputs).all(), program.layers


@pytest.mark.parametrize("preset", ["small", "tiny"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_layers(preset, seed):
    rnd, rng = random.Random(seed), np.random.default_rng(seed)
    layer = replace(random_layer(rnd), batch=1, product_shift=0)
    if layer.pool and -(-layer.pool.k // layer.pool.s) > fields.POOL_SLOTS:
        layer = replace(layer, pool=None)
    checked(compile(layer, random_tensors(rng, layer), PRESETS[preset]))


def test_random_chains():
    """Events stay on chip; in every second chain some rows are too long for that."""
    config, spilled = replace(TINY, mesh_cols=2, mesh_rows=2, ports=2), 0
    for seed in range(8):
        layers, tensors = random_chain(seed, config)
        room = 16 if seed % 2 else config.storage_events
        program = compile(layers, tensors, replace(config, storage_events=room))
        assert any(one.descriptor["keep"] for one in program.passes)
        spilled += any(one.descriptor["keep"] and one.stored for one in program.passes)
        checked(program)
    assert spilled >= 2


def test_layers_that_are_no_chain():
    layers = [Layer(name=f"l{n}", c=2 + n, h=6, w=7, k=5, r=3, s=3, out_bits=8) for n in range(2)]
    tensors = [random_tensors(np.random.default_rng(n), layer) for n, layer in enumerate(layers)]
    program = compile(layers, tensors, TINY, chain=False)
    memory = Machine(TINY, program.image).run(program.desc_addr, program.desc_count)
    for n, layer in enumerate(program.layers):
        expected = next(one.outputs for one in program.passes if one.index == n)
        assert (outputs([memory], program, n)[0] == expected).all(), layer.name


def test_weights_come_once():
    """Bands that follow each other share their words; PEs with the same channels get them at
    once."""
    layer = Layer(c=3, h=30, w=20, k=6, r=3, s=3, pad=1, out_bits=8)
    program = compile(layer, random_tensors(np.random.default_rng(0), layer), TINY)
    assert program.passes[0].mapping.band_passes > 1
    words = sum(len(block.payloads) for one in program.passes for block in one.blocks
                if block.kind == fields.Kind.WEIGHT)
    lanes = program.passes[0].mapping.lanes
    assert words == 3 * lanes.tiles[0] * lanes.tiles[1] * -(-6 // lanes.kl)


def test_pixels_there_and_back():
    rng = np.random.default_rng(4)
    plane = rng.integers(-128, 128, (40, 9, 11)) * (rng.random((40, 9, 11)) < 0.3)
    pixels = Pixels.of(plane)
    for preset in PRESETS.values():
        lines = image.pixel_lines(preset, pixels, end=True)
        back, ends = image.read_pixels(preset, lines)
        assert all((getattr(back, n) == getattr(pixels, n)).all()
                   for n in ("value", "channel", "y", "x"))
        assert ends.tolist() == [False] * (len(lines) - 1) + [True]


def test_a_changed_weight_is_seen():
    """The executor reads the image: another weight there, another output."""
    layer = Layer(c=2, h=5, w=5, k=3, r=3, s=3, shift=0, out_bits=8)
    tensors = Tensors(np.ones(layer.weights_shape, np.int64), np.ones((2, 5, 5), np.int64))
    program = compile(layer, tensors, TINY)
    checked(program)
    one = program.passes[0]
    size = fields.line_bits(TINY) // 8
    at = one.descriptor["setup_addr"] + size * int(
        np.flatnonzero(one.flits(TINY)[:, 0] == fields.Kind.WEIGHT)[0])
    memory = bytearray(program.image)
    memory[at + 4] ^= 16
    memory[at:at + size] = seal(np.frombuffer(memory[at:at + size], np.uint8).reshape(
        1, -1).copy()).tobytes()
    left = Machine(TINY, bytes(memory)).run(program.desc_addr, program.desc_count)
    assert (outputs([left], program)[0] != one.outputs).any()


@pytest.mark.parametrize("change, message", [
    ({"out_bits": 9}, "odd: out_bits must be at most data_bits (8), not 9"),
    ({"batch": 2}, "odd: batch must be 1, not 2"),
    ({"product_shift": 1}, "odd: product_shift must be at most 0, not 1"),
    ({"pool": Pool(kind="max", k=5, s=1), "w": 12, "h": 12},
     "odd: pooling windows open at a time, ⌈k/s⌉, must be at most 4, not 5"),
    ({"pool": Pool(kind="max", k=16, s=16), "w": 18, "h": 18},
     "odd: pool k and s must be at most 15, not 16 and 16"),
])
def test_refusals(change, message):
    layer = replace(Layer(name="odd", c=2, h=6, w=6, k=3, r=3, s=3, out_bits=8), **change)
    with pytest.raises(ValueError) as error:
        compile(layer, random_tensors(np.random.default_rng(0), layer), TINY)
    assert str(error.value) == message
