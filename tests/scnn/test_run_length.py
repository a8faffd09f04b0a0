"""The run-length format: encode, decode, the densest block."""

import numpy as np
import pytest

from golden.formats import run_length
from golden.scnn import ppu


def random_blocks(rng, count, size, density):
    return [(rng.random(size) < density) * rng.integers(-99, 99, size) for _ in range(count)]


def flat(blocks):
    at = [(n, p, v) for n, block in enumerate(blocks) for p, v in enumerate(block.tolist()) if v]
    return tuple(np.array([x[i] for x in at], np.int64) for i in range(3))


@pytest.mark.parametrize("density", [0, 0.02, 0.3, 1])
@pytest.mark.parametrize("index_bits", [1, 2, 4, 8])
def test_encode_equals_plain_python_and_decodes(index_bits, density):
    rng = np.random.default_rng(index_bits)
    blocks = random_blocks(rng, 7, 200, density)
    block, position, value = flat(blocks)
    got = run_length.encode(block, position, value, index_bits)
    for n, dense in enumerate(blocks):
        expected = [e for row in ppu.encode(list(enumerate(dense.tolist())), index_bits, 1)
                    for e in row]
        mine = got.block == n
        assert list(zip(got.value[mine].tolist(), got.run[mine].tolist(),
                        strict=True)) == expected
        assert got.index[mine].tolist() == list(range(len(expected)))
    back = run_length.decode(got.block, got.value, got.run)
    for a, b in zip(back, (block, position, value), strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(got.position[got.value != 0], position)


def test_a_gap_of_exactly_the_longest_run_takes_no_placeholder():
    for position, elements in ((15, [(7, 15)]), (16, [(0, 15), (7, 0)]), (32, [(0, 15), (0, 15),
                                                                             (7, 0)])):
        got = run_length.encode(np.array([3]), np.array([position]), np.array([7]), 4)
        assert list(zip(got.value.tolist(), got.run.tolist(), strict=True)) == elements
    assert got.position.tolist() == [15, 31, 32]


@pytest.mark.parametrize("seed", range(20))
def test_no_tile_needs_more_than_the_worst(seed):
    rng = np.random.default_rng(seed)
    rows, width, gap, bits = (int(rng.integers(a, b)) for a, b in
                              ((1, 6), (1, 9), (0, 30), (1, 5)))
    tile = np.zeros((rows, width + gap), np.int64)
    most = 0
    for density in (0.3, 0.9, 1):
        tile[:, :width] = rng.random((rows, width)) < density
        at = np.flatnonzero(tile)
        got = run_length.encode(np.zeros(len(at)), at, np.ones(len(at)), bits)
        most = max(most, len(got.value))
        limit = run_length.worst_elements(rows, width, width + gap, bits)
        assert most <= limit + (int(at[0]) >> bits if len(at) else 0)
    assert most == limit
    assert run_length.worst_elements(0, 3, 3, bits) == 0
