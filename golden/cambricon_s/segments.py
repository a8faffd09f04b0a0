"""Segments: the index and the synapses that one COMPUTE works through, as they lie in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.cambricon_s.books import Book
from hw.cambricon_s.config import WIDTHS, CambriconSConfig


def pack(synapses: np.ndarray, width: int) -> np.ndarray:
    """Rows of synapses (uint16 [N, n], of 2^width bits, n whole bytes) as bytes, lowest first."""
    bits = WIDTHS[width]
    if bits == 16:
        return np.ascontiguousarray(synapses, "<u2").view(np.uint8)
    per = 8 // bits
    parts = synapses.reshape(len(synapses), -1, per).astype(np.uint8)
    return np.bitwise_or.reduce(parts << (bits * np.arange(per, dtype=np.uint8)), axis=2,
                                dtype=np.uint8)


def unpack(data: np.ndarray, width: int) -> np.ndarray:
    """What `pack` packed: uint16 [N, n]."""
    bits = WIDTHS[width]
    if bits == 16:
        return np.ascontiguousarray(data).view("<u2")
    shifts = bits * np.arange(8 // bits, dtype=np.uint8)
    parts = data[:, :, None] >> shifts & np.uint8((1 << bits) - 1)
    return parts.reshape(len(data), -1).astype(np.uint16)


@dataclass(frozen=True, eq=False)
class Segment:
    """Windows of an index, bool [windows, selectors · window] (None: dense), and what it stands
    for: `synapses` of each PE at most.

    `rows`: uint8 [SB words, bytes of a row of Tm words].
    """

    windows: int
    index: np.ndarray | None
    synapses: int
    width: int
    rows: np.ndarray


def words(synapses: int, width: int, cfg: CambriconSConfig) -> int:
    """SB words of so many synapses."""
    return -(-synapses * WIDTHS[width] // cfg.sb_word_bits)


def segment(weights: np.ndarray, book: Book, cfg: CambriconSConfig, dense: bool) -> Segment:
    """From the weights [outputs, runs, neurons of a run], each run in windows of its own."""
    outputs, runs, run = weights.shape
    per_run = -(-run // cfg.window)
    there = np.zeros((cfg.selectors, runs, run), bool)
    if dense:
        there[:] = True
    elif cfg.shared_index:
        there[0] = (weights != 0).any(0)
    else:
        there[:outputs] = weights != 0
    index = np.zeros((cfg.selectors, runs, per_run * cfg.window), bool)
    index[..., :run] = there
    count, width = int(there.sum((1, 2)).max()), book.width
    size, per_word = words(count, width, cfg), cfg.sb_word_bits // WIDTHS[width]
    # PEs without an output have synapses of 0.
    none = book.values.index(0) if 0 in book.values else 0
    synapses = np.zeros((cfg.tm, size * per_word), np.uint16)
    synapses[outputs:, :count] = none
    for pe in range(outputs):
        chosen = book.encode(weights[pe][there[pe % cfg.selectors]])
        synapses[pe, :len(chosen)] = chosen
    packed = pack(synapses, width).reshape(cfg.tm, size, cfg.sb_word_bits // 8)
    rows = np.zeros((size, cfg.sb_beats * cfg.beat_bytes), np.uint8)
    rows[:, :cfg.tm * cfg.sb_word_bits // 8] = packed.transpose(1, 0, 2).reshape(
        size, cfg.tm * cfg.sb_word_bits // 8)
    windows = index.reshape(cfg.selectors, -1, cfg.window).transpose(1, 0, 2)
    return Segment(runs * per_run, None if dense else windows.reshape(-1, cfg.index_bits), count,
                   width, rows)


def index_bytes(index: np.ndarray) -> bytes:
    """SIB words one after the other: bool [windows, index_bits]."""
    return np.packbits(index.reshape(-1), bitorder="little").tobytes()


def book_bytes(book: Book, data_bits: int) -> bytes:
    return np.array(book.values, f"<i{data_bits // 8}").tobytes()


def bias_bytes(bias: np.ndarray, cfg: CambriconSConfig) -> bytes:
    """Biases of a group (fewer than Tm: 0 for the others), padded to whole beats."""
    whole = np.zeros(cfg.bias_beats * cfg.beat_bytes // 8, "<i8")
    whole[:len(bias)] = bias
    return whole.tobytes()
