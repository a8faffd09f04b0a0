"""Canonical Huffman coding of small symbols, in a stream that proves itself.

A stream is, little-endian: ``magic`` (4 bytes), symbols (u64), alphabet size (u32), a code length
per symbol of the alphabet (1 byte; 0: does not occur), the codes (first bit in a byte's top bit,
padded with zeros), the CRC-32 of all of this (u32). Codes are canonical: by length, then by symbol.

`decode` gives what `encode` was given or raises `CorruptStream`: a wrong checksum, a code that is
not complete, too few or too many bits. It never gives anything else.
"""

from __future__ import annotations

import heapq
import struct
import zlib

import numpy as np

from golden.jit import njit

MAGIC = b"sfH1"
HEADER = struct.Struct("<4sQI")
CRC_BYTES = 4
LONGEST = 57            # bits of a code: what a 64-bit word holds beside a byte's rest


class CorruptStream(ValueError):
    """The bytes are no stream that `encode` wrote."""


def code_lengths(counts: np.ndarray) -> np.ndarray:
    """The lengths of an optimal code, uint8 [A], for symbols that occur `counts` [A] times.

    A symbol that alone occurs takes one bit; one that does not occur has length 0.
    """
    lengths = np.zeros(len(counts), np.uint8)
    heap: list[tuple[int, int, list[int]]] = [(int(n), s, [s]) for s, n in enumerate(counts) if n]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        (few, first, low), (more, _, high) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in low + high:
            lengths[symbol] += 1
        heapq.heappush(heap, (few + more, first, low + high))
    if lengths.max(initial=0) > LONGEST:
        raise ValueError(f"a Huffman code must be of at most {LONGEST} bits, "
                         f"not {lengths.max()}: the counts differ too much")
    return lengths


def canonical(lengths: np.ndarray) -> np.ndarray:
    """The codes, uint64 [A], that these lengths stand for; ascending in (length, symbol)."""
    codes = np.zeros(len(lengths), np.uint64)
    code, last = 0, 0
    for symbol in np.lexsort((np.arange(len(lengths)), lengths)):
        size = int(lengths[symbol])
        if size:
            code <<= size - last
            codes[symbol] = code
            code, last = code + 1, size
    return codes


def stream_bytes(counts: np.ndarray) -> int:
    """Bytes of the stream of symbols that occur `counts` [A] times, without making it."""
    bits = int((np.asarray(counts, np.int64) * code_lengths(counts)).sum())
    return HEADER.size + len(counts) + -(-bits // 8) + CRC_BYTES


def encode(symbols: np.ndarray, alphabet: int) -> bytes:
    """The stream of `symbols`, integers [N] of 0 to `alphabet` - 1."""
    symbols = np.asarray(symbols).reshape(-1)
    if alphabet < 1 or alphabet > 1 << 16:
        raise ValueError(f"alphabet must be 1 to 65536 symbols, not {alphabet}")
    if symbols.size and (symbols.min() < 0 or symbols.max() >= alphabet):
        raise ValueError(f"symbols must be 0 to {alphabet - 1}, not {symbols.min()} to "
                         f"{symbols.max()}")
    lengths = code_lengths(np.bincount(symbols, minlength=alphabet))
    sizes, codes = lengths[symbols].astype(np.int64), canonical(lengths)[symbols]
    ends = np.cumsum(sizes)
    bits = np.zeros(int(ends[-1]) if symbols.size else 0, np.uint8)
    for back in range(int(lengths.max(initial=0))):       # the last bit of each code first
        there = sizes > back
        bits[ends[there] - 1 - back] = (codes[there] >> np.uint64(back)) & np.uint64(1)
    body = HEADER.pack(MAGIC, symbols.size, alphabet) + lengths.tobytes()
    body += np.packbits(bits).tobytes()
    return body + struct.pack("<I", zlib.crc32(body))


def decode(stream: bytes) -> np.ndarray:
    """The symbols, int64 [N]; CorruptStream if the bytes are not a whole, good stream."""
    lengths, count, payload = _open(stream)
    if count > 8 * len(payload):
        raise CorruptStream(f"Huffman stream: must have at least a bit per symbol, not {count} "
                            f"symbols in {len(payload)} bytes")
    order = np.lexsort((np.arange(len(lengths)), lengths))
    order = order[lengths[order] > 0]
    per_length = np.bincount(lengths[order], minlength=LONGEST + 1).astype(np.int64)
    bits = np.unpackbits(np.frombuffer(payload, np.uint8))
    symbols = np.zeros(count, np.int64)
    used = _walk(bits, per_length, order.astype(np.int64), symbols)
    if used < 0:
        raise CorruptStream("Huffman stream: must hold only codes of its table, to the last bit")
    if -(-used // 8) != len(payload) or bits[used:].any():
        raise CorruptStream(f"Huffman stream: must end with its last code, not after {used} of "
                            f"{8 * len(payload)} bits")
    return symbols


def _open(stream: bytes) -> tuple[np.ndarray, int, bytes]:
    """(code lengths, symbols, payload) of a stream whose checksum and table are good."""
    if len(stream) < HEADER.size + CRC_BYTES:
        raise CorruptStream(f"Huffman stream: must have at least {HEADER.size + CRC_BYTES} bytes, "
                            f"not {len(stream)}")
    body, (crc,) = stream[:-CRC_BYTES], struct.unpack("<I", stream[-CRC_BYTES:])
    if zlib.crc32(body) != crc:
        raise CorruptStream("Huffman stream: its checksum must be that of its bytes")
    magic, count, alphabet = HEADER.unpack_from(body)
    if magic != MAGIC or len(body) < HEADER.size + alphabet:
        raise CorruptStream("Huffman stream: must begin with its header and table")
    lengths = np.frombuffer(body, np.uint8, alphabet, HEADER.size)
    _check_table(lengths, count)
    return lengths, count, body[HEADER.size + alphabet:]


def _check_table(lengths: np.ndarray, count: int) -> None:
    """A complete prefix code: every string of bits decodes, and to one string of symbols."""
    present = lengths[lengths > 0].astype(int).tolist()
    if max(present, default=0) > LONGEST:
        raise CorruptStream(f"Huffman stream: codes must be of at most {LONGEST} bits")
    room = sum(1 << (LONGEST - size) for size in present)
    whole = 1 << LONGEST
    alone = present == [1]
    if not (room == whole or alone or (not present and not count)):
        raise CorruptStream("Huffman stream: its code lengths must form a complete code")


@njit
def _walk(bits, per_length, order, symbols):        # pragma: no cover (compiled)
    """Fills `symbols`; the bits used, or -1 if they run out or match no code."""
    at = 0
    for n in range(len(symbols)):
        code, first, index, size = 0, 0, 0, 0
        while True:
            if at == len(bits) or size == 57:
                return -1
            code = 2 * code + bits[at]
            at, size = at + 1, size + 1
            here = per_length[size]
            if code - first < here:
                symbols[n] = order[index + code - first]
                break
            index += here
            first = 2 * (first + here)
    return at
