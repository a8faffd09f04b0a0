"""ECOO: groups of channels as tokens (value, offset, EOG), S² Engine's compressed dataflow.

A group's non-zero values become tokens in ascending offsets, the last one marked EOG; a group of
zeros is one placeholder (0, 0, EOG). With `mixed` a value beyond 8 bits is two tokens with a tag:
the low byte, unsigned, then the high byte, signed (Yang et al., Sections 4.2 and 4.5).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

VALUE_BITS = 8
LOW, HIGH = -(1 << VALUE_BITS - 1), (1 << VALUE_BITS - 1) - 1


class Tokens(NamedTuple):
    """Tokens of all groups in order; one-dimensional arrays of one length."""

    group: np.ndarray       # int64: number of the group
    value: np.ndarray       # int64: 0 to 255, as the wires carry it
    offset: np.ndarray      # int64
    eog: np.ndarray         # bool
    tag: np.ndarray         # bool: half of a 16-bit value


def wide(values: np.ndarray) -> np.ndarray:
    """Which values need two tokens."""
    return (values < LOW) | (values > HIGH)


def compress(groups: np.ndarray) -> Tokens:
    """Tokens of dense groups, integers ``[N, group]`` of at most 16 bits."""
    groups = np.asarray(groups, np.int64)
    row, offset = np.nonzero(groups)
    value = groups[row, offset]
    empty = np.flatnonzero(~groups.any(axis=1))
    row = np.concatenate([row, empty])
    offset = np.concatenate([offset, np.zeros(len(empty), np.int64)])
    value = np.concatenate([value, np.zeros(len(empty), np.int64)])
    order = np.argsort(row, kind="stable")
    row, offset, value = row[order], offset[order], value[order]
    halves = 1 + wide(value)
    source = np.repeat(np.arange(len(row)), halves)
    first = np.ones(len(source), bool)
    first[1:] = source[1:] != source[:-1]
    tag = halves[source] == 2
    high = tag & ~first
    row, offset, value = row[source], offset[source], value[source]
    eog = np.ones(len(row), bool)
    eog[:-1] = row[1:] != row[:-1]
    return Tokens(row, np.where(high, value >> VALUE_BITS, value) & 0xFF, offset, eog, tag)


def whole(groups: np.ndarray, sizes: np.ndarray) -> Tokens:
    """Uncompressed: a token for each of the first `sizes` channels of groups ``[N, group]`` of
    8-bit integers, zeros too."""
    row, offset = np.nonzero(np.arange(groups.shape[1]) < sizes[:, None])
    return Tokens(row, groups[row, offset].astype(np.int64) & 0xFF, offset,
                  offset == sizes[row] - 1, np.zeros(len(row), bool))


def decompress(tokens: Tokens, count: int, group: int, *, zeros: bool = False) -> np.ndarray:
    """The dense groups, int64 ``[count, group]``. Raises ValueError on what is no ECOO stream.
    `zeros`: such as `whole` makes."""
    value, tag = tokens.value.astype(np.int64), tokens.tag.astype(bool)
    check(tokens, group, zeros=zeros)
    number = np.zeros(len(value), np.int64)
    number[1:] = np.cumsum(tokens.eog)[:-1]
    if len(value) and (not tokens.eog[-1] or number[-1] != count - 1):
        raise ValueError(f"the stream must hold {count} groups, each ended by EOG")
    high = _second(tag)
    low = tag & ~high
    signed = np.where(low, value, (value ^ 0x80) - 0x80) << np.where(high, VALUE_BITS, 0)
    out = np.zeros((count, group), np.int64)
    np.add.at(out, (number, tokens.offset), signed)
    return out


def check(tokens: Tokens, group: int, *, zeros: bool = False) -> None:
    """Raises ValueError if a token cannot stand where it does; README, errors 32 and 33. `zeros`
    may stand beside other values."""
    offset, eog, tag = (np.asarray(a) for a in (tokens.offset, tokens.eog, tokens.tag))
    high = _second(tag.astype(bool))
    low = tag.astype(bool) & ~high
    if (offset >= group).any():
        raise ValueError(f"offset must be below {group}, not {int(offset.max())}")
    follows = np.zeros(len(offset), bool)
    follows[1:] = ~eog[:-1].astype(bool)
    before = np.concatenate([[0], offset[:-1]])
    wrong = follows & np.where(high, offset != before, offset <= before)
    if wrong.any():
        raise ValueError(f"token {int(np.argmax(wrong))}: offsets of a group must ascend")
    if (low & eog.astype(bool)).any() or (len(low) and low[-1]) or (high & ~follows).any():
        raise ValueError("a low half must be followed by its high half")
    if not zeros and ((tokens.value == 0) & ~tag & (follows | ~eog)).any():
        raise ValueError("a placeholder must stand alone in its group")


def _second(tag: np.ndarray) -> np.ndarray:
    """Which tagged tokens are second halves: those at odd places in a run of tagged ones."""
    at = np.arange(len(tag))
    begins = tag & ~np.concatenate([[False], tag[:-1]])
    first = np.maximum.accumulate(np.where(begins, at, 0)) if len(tag) else at
    return tag & ((at - first) % 2 == 1)


def pack(tokens: Tokens, offset_bits: int, mixed: bool) -> np.ndarray:
    """Feature tokens as integers, the fields of ``hw/s2engine/README.md``: uint64 [tokens]."""
    word = (tokens.value | tokens.offset << VALUE_BITS
            | tokens.eog.astype(np.int64) << VALUE_BITS + offset_bits)
    if mixed:
        word |= tokens.tag.astype(np.int64) << VALUE_BITS + offset_bits + 1
    return word.astype(np.uint64)


def unpack(words: np.ndarray, offset_bits: int, mixed: bool) -> Tokens:
    """The reverse of `pack`; bits above the fields are ignored. `group` counts EOGs."""
    words = np.asarray(words, np.uint64).astype(np.int64)
    eog = words >> VALUE_BITS + offset_bits & 1 == 1
    group = np.zeros(len(words), np.int64)
    group[1:] = np.cumsum(eog)[:-1]
    tag = words >> VALUE_BITS + offset_bits + 1 & 1 == 1 if mixed else np.zeros(len(words), bool)
    return Tokens(group, words & 0xFF, words >> VALUE_BITS & (1 << offset_bits) - 1, eog, tag)
