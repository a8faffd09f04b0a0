"""Fields of any width in rows of bytes, little-endian: many rows at once, and single records.

A table of N rows is uint8 [N, bytes]; its fields stand at the same bits in every row. A record is a
list of fields one after the other, from bit 0 on: a descriptor, with a CRC-32 behind it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from golden.jit import njit


@njit
def _put(out, at, bits, value):
    for n in range(value.shape[0]):
        for i in range(value.shape[1]):
            word = np.uint64(value[n, i]) & ((np.uint64(1) << np.uint64(bits)) - np.uint64(1))
            byte, shift, left = at[i] >> 3, at[i] & 7, bits
            while left > 0:
                out[n, byte] |= np.uint8((word << np.uint64(shift)) & np.uint64(255))
                word >>= np.uint64(8 - shift)
                left -= 8 - shift
                byte, shift = byte + 1, 0


@njit
def _get(data, at, bits, signed, value):
    for n in range(value.shape[0]):
        for i in range(value.shape[1]):
            word, got = np.uint64(0), 0
            byte, shift = at[i] >> 3, at[i] & 7
            while got < bits:
                word |= (np.uint64(data[n, byte]) >> np.uint64(shift)) << np.uint64(got)
                got += 8 - shift
                byte, shift = byte + 1, 0
            word &= (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
            number = np.int64(word)
            if signed and (number >> (bits - 1)) & 1:
                number -= np.int64(1) << bits
            value[n, i] = number


def put(out: np.ndarray, at: np.ndarray, bits: int, value: np.ndarray) -> None:
    """Writes field i of every row, `bits` (at most 56) wide, from bit ``at[i]`` on.

    `value` is [N, fields] in any shape of that size; the bits of `out` must be 0 so far.
    """
    _put(out, at, bits, np.ascontiguousarray(value.reshape(len(out), -1), np.int64))


def get(data: np.ndarray, at: np.ndarray, bits: int, signed: bool = False) -> np.ndarray:
    """The fields that `put` wrote: int64 [N, fields]."""
    value = np.zeros((len(data), len(at)), np.int64)
    _get(data, at, bits, signed, value)
    return value


def record_bytes(widths: Iterable[int], data_bits: int) -> int:
    """Bytes of a record in memory: its fields, a CRC-32, padded to whole beats."""
    return -(-(sum(widths) + 32) // data_bits) * data_bits // 8


def pack_record(fields: Iterable[tuple[str, int, int]], data_bits: int) -> bytes:
    """A record of (name, bits, value) with its CRC-32, padded to whole beats.

    The fields are whole bytes together. Raises ValueError naming a field that its value does not
    fit.
    """
    word, at = 0, 0
    for name, bits, value in fields:
        if not 0 <= value < 1 << bits:
            raise ValueError(f"descriptor field {name} has {bits} bits, {value} must fit into it")
        word |= int(value) << at
        at += bits
    body = word.to_bytes(at // 8, "little")
    whole = body + zlib.crc32(body).to_bytes(4, "little")
    return whole.ljust(record_bytes([at], data_bits), b"\0")


def unpack_record(widths: Sequence[int], data: bytes) -> list[int]:
    """The fields of a record. Raises ValueError on a wrong CRC."""
    size = sum(widths) // 8
    body, crc = data[:size], data[size:size + 4]
    if zlib.crc32(body) != int.from_bytes(crc, "little"):
        raise ValueError("descriptor: CRC must be that of the descriptor")
    word, out = int.from_bytes(body, "little"), []
    for bits in widths:
        out.append(word & (1 << bits) - 1)
        word >>= bits
    return out
