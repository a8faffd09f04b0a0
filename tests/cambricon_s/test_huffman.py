"""Canonical Huffman coding: exact, optimal, and never garbage."""

import struct
import zlib

import numpy as np
import pytest

from golden.formats.huffman import (
    HEADER,
    MAGIC,
    CorruptStream,
    canonical,
    code_lengths,
    decode,
    encode,
    stream_bytes,
)


def sealed(body):
    return body + struct.pack("<I", zlib.crc32(body))


@pytest.mark.parametrize("seed", range(8))
def test_round_trip_is_exact(seed):
    rng = np.random.default_rng(seed)
    alphabet = int(rng.integers(1, 257))
    weights = rng.exponential(size=alphabet) ** 4
    symbols = rng.choice(alphabet, int(rng.integers(0, 5000)), p=weights / weights.sum())
    stream = encode(symbols, alphabet)
    assert np.array_equal(decode(stream), symbols)
    assert len(stream) == stream_bytes(np.bincount(symbols, minlength=alphabet))


@pytest.mark.parametrize("symbols", [[], [3], [3] * 9, [0, 1], list(range(16))])
def test_small_alphabets(symbols):
    assert decode(encode(np.array(symbols, int), 16)).tolist() == symbols


def test_code_is_canonical_and_within_a_bit_of_the_entropy():
    counts = np.array([50, 1, 20, 20, 9, 0])
    lengths = code_lengths(counts)
    assert sorted(lengths) == [0, 1, 2, 3, 4, 4]
    assert lengths[0] == 1
    codes = [f"{c:0{n}b}" for c, n in zip(canonical(lengths), lengths, strict=True) if n]
    assert not any(a != b and b.startswith(a) for a in codes for b in codes)
    share = counts[counts > 0] / counts.sum()
    mean = (lengths[counts > 0] * share).sum()
    entropy = -(share * np.log2(share)).sum()
    assert entropy <= mean < entropy + 1


def test_long_codes():
    """Fibonacci's counts give the longest codes."""
    counts = [1, 1]
    while len(counts) < 22:
        counts.append(counts[-1] + counts[-2])
    symbols = np.repeat(np.arange(22), counts)
    assert code_lengths(np.array(counts)).max() == 21
    assert np.array_equal(decode(encode(symbols, 22)), symbols)
    counts = np.array([1, 1] + [2**n for n in range(1, 62)])
    with pytest.raises(ValueError, match="at most 57 bits"):
        code_lengths(counts)


def test_every_flipped_bit_is_refused():
    stream = encode(np.arange(40) % 7, 9)
    for at in range(8 * len(stream)):
        bad = bytearray(stream)
        bad[at // 8] ^= 1 << at % 8
        with pytest.raises(CorruptStream):
            decode(bytes(bad))


def test_every_cut_is_refused():
    stream = encode(np.arange(40) % 7, 9)
    for size in range(len(stream)):
        with pytest.raises(CorruptStream):
            decode(stream[:size])


@pytest.mark.parametrize(("table", "count", "payload", "why"), [
    ([1, 2], 1, b"\x00", "complete code"),            # a code that nobody has
    ([1, 1, 1], 1, b"\x00", "complete code"),         # two symbols of one code
    ([0, 0], 1, b"\x00", "complete code"),            # no code at all
    ([58, 58], 1, b"\x00", "at most 57 bits"),
    ([1, 1], 9, b"\x00", "at least a bit per symbol"),
    ([1, 2, 2], 8, b"\xff", "to the last bit"),       # runs out
    ([1, 1], 3, b"\x01", "end with its last code"),   # a bit in the padding
    ([1, 1], 3, b"\x00\x00", "end with its last code"),
    ([1], 2, b"\x40", "to the last bit"),             # 1 is no code where one symbol has 0
])
def test_a_good_checksum_is_not_enough(table, count, payload, why):
    body = HEADER.pack(MAGIC, count, len(table)) + bytes(table) + payload
    with pytest.raises(CorruptStream, match=why):
        decode(sealed(body))


def test_other_headers_are_refused():
    with pytest.raises(CorruptStream, match="header and table"):
        decode(sealed(HEADER.pack(b"what", 0, 0)))
    with pytest.raises(CorruptStream, match="header and table"):
        decode(sealed(HEADER.pack(MAGIC, 0, 9)))


def test_symbols_outside_the_alphabet_are_refused():
    with pytest.raises(ValueError, match="symbols must be 0 to 3, not 0 to 4"):
        encode(np.arange(5), 4)
    with pytest.raises(ValueError, match="alphabet must be 1 to 65536"):
        encode(np.arange(5), 0)
