"""Lines in memory: contents with a CRC-32 (see ``hw/common/axi/lines.py``).

A line of a content of W bits is ``ceil((W + 32) / data_bits)`` beats, as one little-endian integer:
the content in the low bits, zeros, and in the top 32 bits the CRC-32 of all lower bytes.
"""

from __future__ import annotations

import zlib

import numpy as np


def line_bytes(content_bits: int, data_bits: int) -> int:
    """Bytes of a line."""
    return -(-(content_bits + 32) // data_bits) * data_bits // 8


def pack_lines(contents: np.ndarray, content_bits: int, data_bits: int) -> np.ndarray:
    """Lines, uint8 [N, line bytes], of contents of W bits, uint8 [N, ⌈W/8⌉] (little-endian)."""
    count, size = contents.shape
    out = np.zeros((count, line_bytes(content_bits, data_bits)), np.uint8)
    out[:, :size] = contents
    return seal(out)


def seal(lines: np.ndarray) -> np.ndarray:
    """`lines` (uint8 [N, line bytes]) with their last four bytes set to the CRC; in place."""
    body = lines.shape[1] - 4
    view = memoryview(np.ascontiguousarray(lines[:, :body]).reshape(-1))  # type: ignore[arg-type]
    crc = [zlib.crc32(view[at:at + body]) for at in range(0, body * len(lines), body)]
    lines[:, body:] = np.array(crc, "<u4").view(np.uint8).reshape(-1, 4)
    return lines


def check_lines(lines: np.ndarray) -> np.ndarray:
    """Which of the lines (uint8 [N, line bytes]) have a good CRC: bool [N]."""
    return (seal(lines.copy()) == lines).all(axis=1)
