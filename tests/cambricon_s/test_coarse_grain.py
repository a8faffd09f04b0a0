"""The compressed layer: exact there and back, refused when corrupt, and as long as it is said."""

import struct
import zlib

import numpy as np
import pytest

from golden.cambricon_s.compression import sizes, total
from golden.cambricon_s.irregularity import fine_mask
from golden.cambricon_s.pruning import Block, Pruning, prune
from golden.cambricon_s.quantise import Submatrices, quantise
from golden.formats import huffman
from golden.formats.coarse_grain import (
    HEADER,
    block_index,
    compress,
    expand,
    from_gaps,
    gaps,
    grid_shape,
    spread,
)
from golden.formats.huffman import CorruptStream

BLOCKS = [(Block(), 1), (Block(fin=2, fout=4), 1), (Block(fout=5, kx=2, ky=3), 2)]
CUT = Submatrices(outputs=7, inputs=3)


def layer(block, groups, bits=3, seed=0):
    weights = np.random.default_rng(seed).standard_normal((20, 5, 3, 3))
    mask = prune(weights, Pruning(block=block, density=0.3, groups=groups))
    return weights, quantise(weights, mask, bits, CUT)


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize(("block", "groups"), BLOCKS)
def test_layer_comes_back_exactly(block, groups, bits):
    _, given = layer(block, groups, bits)
    got, got_block, got_groups = expand(compress(given, block, groups))
    assert (got_block.sides, got_groups, got.bits, got.cut) == (block.sides, groups, bits, CUT)
    assert np.array_equal(got.indices, given.indices)
    assert np.array_equal(got.codebooks, given.codebooks)
    assert np.array_equal(got.used, given.used)


@pytest.mark.parametrize(("block", "groups"), BLOCKS)
def test_block_index_is_a_bit_per_block(block, groups):
    _, given = layer(block, groups)
    grid = block_index(given.mask, block, groups)
    assert grid.shape == grid_shape(given.mask.shape, block, groups)
    assert np.array_equal(spread(grid, given.mask.shape, block, groups), given.mask)


def test_broken_blocks_are_refused():
    mask = np.ones((4, 4, 1, 1), bool)
    mask[0, 0] = False
    with pytest.raises(ValueError, match="must each be kept or pruned as a whole"):
        block_index(mask, Block(fout=2))
    with pytest.raises(ValueError, match="needs blocks side by side"):
        block_index(mask, Block(fout=2, step_fout=1))


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("density", [0, 0.01, 0.5, 1])
def test_gaps_come_back(bits, density):
    flags = np.random.default_rng(bits).random(3000) < density
    symbols = gaps(flags, bits)
    assert symbols.max(initial=0) < 1 << bits
    assert np.array_equal(from_gaps(symbols, bits, flags.size), flags)


def test_bad_gaps_are_refused():
    with pytest.raises(CorruptStream, match="must not end in a gap"):
        from_gaps(np.array([1, 3]), 2, 9)
    with pytest.raises(CorruptStream, match="must stay within 4 blocks, not reach 4"):
        from_gaps(np.array([3, 1]), 2, 4)


def test_every_flipped_or_missing_byte_is_refused():
    _, given = layer(*BLOCKS[1])
    stream = compress(given, BLOCKS[1][0])
    for at in range(len(stream)):
        bad = bytearray(stream)
        bad[at] ^= 0x10
        with pytest.raises(CorruptStream):
            expand(bytes(bad))
        with pytest.raises(CorruptStream):
            expand(stream[:at])


def sealed(body):
    return body + struct.pack("<I", zlib.crc32(body))


def test_parts_that_contradict_each_other_are_refused():
    """Each with good checksums, as a faulty writer would make them."""
    block = BLOCKS[1][0]
    _, given = layer(block, 1)
    stream = compress(given, block)
    *head, n_index, n_weights, n_used, _ = HEADER.unpack_from(stream)
    at = HEADER.size + n_index
    index, weights = stream[HEADER.size:at], huffman.decode(stream[at:at + n_weights])
    rest = stream[at + n_weights:-4]

    def rebuilt(weights, rest=rest, n_used=n_used, index=index):
        coded = huffman.encode(weights, 8)
        return sealed(HEADER.pack(*head, len(index), len(coded), n_used, len(rest) - n_used)
                      + index + coded + rest)
    assert rebuilt(weights) == stream
    for bad, why in ((rebuilt(weights[:-1]), "a weight index for each synapse"),
                     (rebuilt(weights, rest[4:]), "a codebook for each sub-matrix"),
                     (rebuilt(weights, struct.pack("<H", 7) + rest[2:-4]), "within their codebook"),
                     (rebuilt(weights, struct.pack("<H", 9) + rest[2:] + bytes(4)), "at most 8"),
                     (sealed(b"what" + stream[4:-4]), "header and sizes"),
                     (sealed(stream[:-4] + b"x"), "header and sizes")):
        with pytest.raises(CorruptStream, match=why):
            expand(bad)


def test_sizes_are_those_of_the_files():
    block = Block(fout=4)
    weights, given = layer(block, 1, 4)
    fine = fine_mask(weights, int(given.mask.sum()))
    found = sizes("conv", given, block, fine)
    assert (found.synapses, found.kept) == (900, given.mask.sum())
    assert found.dense == 3600 and found.pruned == 4 * found.kept
    assert found.quantised == -(-found.kept * 4 // 8) + 4 * given.used.sum()
    coded = huffman.encode(given.indices[given.mask], 16)
    assert found.coded == len(coded)
    assert found.encoded == min(len(coded), -(-found.kept // 2)) + 4 * given.used.sum()
    assert found.index == -(-900 // 4 // 8) and found.fine_index == 113
    grid = block_index(given.mask, block).reshape(-1)
    assert found.index_coded == min(len(huffman.encode(gaps(grid, b), 1 << b))
                                    for b in range(2, 9))
    assert found.fine_steps == -(-len(gaps(fine.reshape(-1), 4)) // 2)
    both = total("both", [found, found])
    assert (both.dense, both.encoded) == (7200, 2 * found.encoded)
    assert both.ratio(both.encoded) == found.ratio(found.encoded)
    assert both.as_dict()["ratio_c"] == 3600 / (found.encoded + found.best_index)
