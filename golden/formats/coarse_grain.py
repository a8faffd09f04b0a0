"""A coarse-grained layer as bytes: block index, weight indices, codebooks, all Huffman-coded.

The *block index* has one bit per block (fin × fout × kx × ky synapses), the blocks side by side
over ``[K, C/groups, R, S]``, in that order; blocks end where a group of outputs does. Its set bits
are coded as gaps: a gap of g zeros is g div m times the symbol m, then g mod m, m = 2^b - 1; zeros
after the last set bit are not coded. Weight indices stand in the order of the weights, those
without synapse left out.

A stream begins with ``magic`` and the sizes of its parts and ends with their CRC-32. `expand`
gives what `compress` was given, or raises `CorruptStream`.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from golden.cambricon_s.pruning import AXES, Block
from golden.cambricon_s.quantise import Quantised, Submatrices
from golden.formats import huffman
from golden.formats.huffman import CorruptStream

MAGIC = b"sfC1"
HEADER = struct.Struct("<4s 4I 4I I 2I B 4I")   # shape, block, groups, cut, bits, sizes of parts
GAP_BITS = range(2, 9)


def grid_shape(shape: tuple[int, ...], block: Block, groups: int = 1) -> tuple[int, ...]:
    """Blocks along each axis; the last of an axis (of a group) may be cut short."""
    sizes = (shape[0] // groups, *shape[1:])
    down, *rest = (-(-n // side) for n, side in zip(sizes, block.sides, strict=True))
    return groups * down, *rest


def spread(grid: np.ndarray, shape: tuple[int, ...], block: Block, groups: int = 1) -> np.ndarray:
    """The mask of `shape` that a block index stands for."""
    out, down = grid, grid.shape[0] // groups
    for axis, side in enumerate(block.sides):
        out = np.repeat(out, side, axis)
    k = shape[0] // groups
    out = out.reshape(groups, down * block.fout, *out.shape[1:])[:, :k]
    return out.reshape(shape[0], *out.shape[2:])[:, :shape[1], :shape[2], :shape[3]]


def block_index(mask: np.ndarray, block: Block, groups: int = 1) -> np.ndarray:
    """The block index, bool, of a mask; ValueError where a block is neither whole nor gone."""
    if block.steps != block.sides:
        raise ValueError(f"a block index needs blocks side by side, not strides of "
                         f"{list(block.steps)} for sides of {list(block.sides)}")
    fin, fout, kx, ky = block.fin, block.fout, block.kx, block.ky
    k = mask.shape[0] // groups
    rows = np.arange(0, k, fout)
    rows = (rows + np.arange(0, mask.shape[0], k)[:, None]).reshape(-1)
    grid = mask[rows][:, ::fin, ::ky, ::kx]
    if not np.array_equal(spread(grid, mask.shape, block, groups), mask):
        raise ValueError(f"blocks of {block} must each be kept or pruned as a whole")
    return grid


def gaps(flags: np.ndarray, bits: int) -> np.ndarray:
    """The symbols, 0 to 2^bits - 1, of a sequence of flags."""
    longest = (1 << bits) - 1
    places = np.flatnonzero(flags)
    gap = np.diff(places, prepend=-1) - 1
    escapes = gap // longest
    out = np.full(int(escapes.sum()) + len(places), longest, np.int64)
    out[np.cumsum(escapes + 1) - 1] = gap % longest
    return out


def from_gaps(symbols: np.ndarray, bits: int, size: int) -> np.ndarray:
    """The flags, bool [size]; CorruptStream if the symbols do not fit."""
    longest = (1 << bits) - 1
    last = symbols == longest
    if len(symbols) and last[-1]:
        raise CorruptStream("block index: must not end in a gap")
    places = np.cumsum(np.where(last, longest, symbols + 1))[~last] - 1
    if len(places) and places[-1] >= size:
        raise CorruptStream(f"block index: must stay within {size} blocks, not reach {places[-1]}")
    flags = np.zeros(size, bool)
    flags[places] = True
    return flags


def best_gap_bits(flags: np.ndarray) -> int:
    """The b with the shortest Huffman stream."""
    return min(GAP_BITS, key=lambda b: huffman.stream_bytes(
        np.bincount(gaps(flags, b), minlength=1 << b)))


def compress(layer: Quantised, block: Block, groups: int = 1) -> bytes:
    """The layer's stream; its mask must consist of whole blocks."""
    shape = layer.indices.shape
    grid = block_index(layer.mask, block, groups).reshape(-1)
    bits = best_gap_bits(grid)
    books = b"".join(book[:n].astype("<f4").tobytes()
                     for book, n in zip(layer.codebooks, layer.used, strict=True))
    parts = (huffman.encode(gaps(grid, bits), 1 << bits),
             huffman.encode(layer.indices[layer.mask], 1 << layer.bits),
             layer.used.astype("<u2").tobytes(), books)
    head = HEADER.pack(MAGIC, *shape, *block.sides, groups, layer.cut.outputs, layer.cut.inputs,
                       layer.bits, *map(len, parts))
    body = head + b"".join(parts)
    return body + struct.pack("<I", zlib.crc32(body))


def expand(stream: bytes) -> tuple[Quantised, Block, int]:
    """(layer, block, groups) of a stream."""
    if len(stream) < HEADER.size + 4 or zlib.crc32(stream[:-4]) != int.from_bytes(
            stream[-4:], "little"):
        raise CorruptStream("coarse-grained layer: its checksum must be that of its bytes")
    magic, *numbers = HEADER.unpack_from(stream)
    shape, sides, (groups, *cut_sides, bits) = tuple(numbers[:4]), numbers[4:8], numbers[8:12]
    sizes = numbers[12:]
    ends = HEADER.size + np.cumsum(sizes)
    if magic != MAGIC or ends[-1] != len(stream) - 4:
        raise CorruptStream("coarse-grained layer: must begin with its header and sizes")
    block = Block(**dict(zip(AXES, sides, strict=True)))
    cut = Submatrices(outputs=cut_sides[0], inputs=cut_sides[1])
    index, weights, used, books = (stream[e - n:e] for e, n in zip(ends, sizes, strict=True))
    grid = grid_shape(shape, block, groups)
    symbols = huffman.decode(index)
    gap_bits = (_alphabet(index) - 1).bit_length()
    mask = spread(from_gaps(symbols, gap_bits, int(np.prod(grid))).reshape(grid), shape, block,
                  groups)
    return _layer(mask, huffman.decode(weights), np.frombuffer(used, "<u2").astype(np.int64),
                  np.frombuffer(books, "<f4"), bits, cut), block, groups


def _alphabet(stream: bytes) -> int:
    return int(huffman.HEADER.unpack_from(stream)[2])


def _layer(mask: np.ndarray, indices: np.ndarray, used: np.ndarray, values: np.ndarray, bits: int,
           cut: Submatrices) -> Quantised:
    total = int(np.prod(cut.grid(mask.shape)))
    if len(indices) != mask.sum() or len(used) != total or len(values) != used.sum():
        raise CorruptStream("coarse-grained layer: must have a weight index for each synapse and "
                            "a codebook for each sub-matrix")
    books = np.zeros((total, 1 << bits), np.float32)
    if used.max(initial=0) > books.shape[1]:
        raise CorruptStream(f"coarse-grained layer: codebooks must have at most {1 << bits} "
                            "entries")
    for book, part in zip(books, np.split(values, np.cumsum(used)[:-1]), strict=True):
        book[:len(part)], book[len(part):] = part, part[-1] if len(part) else 0
    out = np.full(mask.shape, -1, np.int16)
    out[mask] = indices
    number = np.broadcast_to(cut.number(mask.shape), mask.shape)[mask]
    if (indices >= used[number]).any():
        raise CorruptStream("coarse-grained layer: weight indices must be within their codebook")
    return Quantised(out, books, used, bits, cut)
