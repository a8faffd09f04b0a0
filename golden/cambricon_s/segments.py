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
    """Windows of an index, bool [windows, window] (None: dense), and what it stands for.

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
    there = np.ones((runs, run), bool) if dense else (weights != 0).any(0)
    index = np.zeros((runs, per_run * cfg.window), bool)
    index[:, :run] = there
    chosen = weights[:, there]
    count, width = chosen.shape[1], book.width
    size, per_word = words(count, width, cfg), cfg.sb_word_bits // WIDTHS[width]
    synapses = np.zeros((cfg.tm, size * per_word), np.uint16)
    synapses[:outputs, :count] = book.encode(chosen)
    if 0 in book.values:                # PEs without an output have synapses of 0
        synapses[outputs:, :count] = book.values.index(0)
    packed = pack(synapses, width).reshape(cfg.tm, size, cfg.sb_word_bits // 8)
    rows = np.zeros((size, cfg.sb_beats * cfg.beat_bytes), np.uint8)
    rows[:, :cfg.tm * cfg.sb_word_bits // 8] = packed.transpose(1, 0, 2).reshape(
        size, cfg.tm * cfg.sb_word_bits // 8)
    return Segment(runs * per_run, None if dense else index.reshape(-1, cfg.window), count, width,
                   rows)


def index_bytes(index: np.ndarray) -> bytes:
    """SIB words one after the other: bool [windows, window]."""
    return np.packbits(index.reshape(-1), bitorder="little").tobytes()


def book_bytes(book: Book, data_bits: int) -> bytes:
    return np.array(book.values, f"<i{data_bits // 8}").tobytes()


def bias_bytes(bias: np.ndarray, cfg: CambriconSConfig) -> bytes:
    """Biases of a group (fewer than Tm: 0 for the others), padded to whole beats."""
    whole = np.zeros(cfg.bias_beats * cfg.beat_bytes // 8, "<i8")
    whole[:len(bias)] = bias
    return whole.tobytes()
