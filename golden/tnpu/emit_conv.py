"""A unit's instructions for a convolution: FP and BP of one instance.

A *tile* is a block of 16 output (BP: input) channels of some rows; it is loaded, computed on and
stored as a whole. A *chunk* of it is as many blocks of the summed channels as fit. `part`: of the
rows of all blocks, one block after the other, those from the first to before the second number.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from golden.layers import Layer
from golden.tnpu.assemble import Instruction, Loop
from golden.tnpu.regions import blocks
from golden.tnpu.stream import Stream, load, store
from hw.tnpu.config import BLOCK
from hw.tnpu.instruction import Bound, Buffer, Init, Op, Opcode


class Sizes(NamedTuple):
    """A layer's sizes on a unit, per group; words of `lanes` values, X's units of `rows`."""

    rows: int           # of PEs
    units: int          # of X in a word
    parts: int          # words of a block of 16 channels
    taps: int
    in_blocks: int      # blocks of a group
    out_blocks: int
    in_parts: int       # words of a block that hold channels at all
    in_units: int       # units likewise
    out_units: int
    tile: int           # words of a lanes × lanes tile

    @property
    def x(self) -> int:
        """Units of X of a block of 16 channels."""
        return BLOCK // self.rows

    @classmethod
    def of(cls, layer: Layer, stream: Stream) -> Sizes:
        rows, lanes = stream.cfg.rows(stream.unit), stream.cfg.lanes
        c, k = layer.c // layer.groups, layer.k // layer.groups

        def used(channels: int, width: int) -> int:
            return min(BLOCK // width, -(-channels // width))
        return cls(rows, lanes // rows, BLOCK // lanes, layer.r * layer.s, blocks(c), blocks(k),
                   used(c, lanes), used(c, rows), used(k, rows), lanes)


Part = tuple[int, int] | None


def ranges(total: int, most: int, first: int = 0) -> Iterator[tuple[int, int]]:
    """From `first` to `total` in pieces of at most `most`, evenly."""
    count = total - first
    pieces = -(-count // most)
    for n in range(pieces):
        yield first + count * n // pieces, first + count * (n + 1) // pieces


def within(blocks: int, size: int, part: Part) -> Iterator[tuple[int, int, int]]:
    """What `part` has of `blocks` times `size`: block, from, to."""
    begin, end = part or (0, blocks * size)
    for block in range(blocks):
        low, high = max(begin - block * size, 0), min(end - block * size, size)
        if low < high:
            yield block, low, high


def compute(opcode: Opcode, bank: int, loops: list[Loop], inner: int, shortest: int,
            **fields: int) -> Instruction:
    """A compute instruction whose groups last at least `shortest` cycles."""
    one = Instruction(opcode, {"bank": bank, "inner": inner, **fields}, tuple(loops))
    issues = 1
    for loop in loops[:inner]:
        issues *= loop.times
    one.fields["gap"] = max(one.fields.get("gap", 0), shortest - issues, 0)
    return one


def window(layer: Layer, first: int, last: int) -> tuple[int, int]:
    """Input rows that output rows `first` to `last` (exclusive) need, inside the plane; one at
    least."""
    low = min(max(0, first * layer.stride - layer.pads[0]), layer.h - 1)
    return low, max(low + 1,
                    min(layer.h, (last - 1) * layer.stride + layer.r - layer.pads[0]))


def _fit(layer: Layer, what: str, rows: int, fits: object) -> int:
    """The most rows of at most `rows` that `fits`, a predicate, allows."""
    assert callable(fits)
    while rows and not fits(rows):
        rows = rows - 1 if rows < 8 else rows * 7 // 8
    if not rows:
        raise ValueError(f"{layer.name}: the buffers must hold one row of {what}: enlarge X, W or "
                         f"S")
    return rows


def _rows_read(layer: Layer, rows: int) -> int:
    return min(layer.h, (rows - 1) * layer.stride + layer.r)


def conv_fp(stream: Stream, n: int, layer: Layer, source: str, part: Part = None) -> None:
    """y{n} ← ReLU(conv(source) + b{n})."""
    z, cfg, word = Sizes.of(layer, stream), stream.cfg, stream.cfg.word_bytes
    x_room, w_room, s_room = stream.capacity()
    weights = z.taps * z.parts * z.tile                 # words of a (k tile, block)
    if z.parts * weights > w_room:
        raise ValueError(f"{layer.name}: W of PU-{stream.unit} must hold {2 * z.parts * weights} "
                         f"words, not {2 * w_room}")
    rows = _fit(layer, "outputs", layer.ho, lambda r: (
        r * layer.wo * z.parts + z.parts <= s_room
        and _rows_read(layer, r) * layer.w * z.parts <= x_room))
    read = _rows_read(layer, rows) * layer.w * z.parts
    most = min(x_room // read, w_room // (z.parts * weights))
    line, plane = layer.w * z.parts, layer.h * layer.w * z.parts
    for k_block, begin, stop in within(layer.groups * z.out_blocks, layer.ho, part):
        group = k_block // z.out_blocks
        for first, last in ranges(stop, rows, begin):
            bank, bias_at = stream.begin_tile(), s_room - z.parts
            low, high = window(layer, first, last)
            count = (high - low) * line
            for at, end in ranges(z.in_blocks, most):
                x, w = stream.halves()
                bias = [load(f"b{n}", k_block * z.parts * word, z.parts,
                             Buffer.S1 if bank else Buffer.S0, bias_at)] if at == 0 else []
                block = group * z.in_blocks + at
                loads = [
                    load(source, (block * plane + low * line) * word, count, Buffer.X, x,
                         chunks=end - at, stride=plane * word, word_stride=count),
                    load(f"w{n}", (k_block * z.parts * z.in_blocks + at) * weights * word,
                         (end - at) * weights, Buffer.W, w, chunks=z.parts,
                         stride=z.in_blocks * weights * word,
                         word_stride=(end - at) * weights)]
                row0 = first * layer.stride - layer.pads[0] - low
                loops = [
                    Loop(layer.wo, x=layer.stride * z.x, s=z.parts, col=layer.stride),
                    Loop(last - first, x=layer.stride * layer.w * z.x, s=layer.wo * z.parts,
                         row=layer.stride),
                    Loop(z.in_units if z.in_blocks == 1 else z.x, x=1, w=z.rows),
                    Loop(layer.s, x=z.x, w=z.parts * z.tile, col=1),
                    Loop(layer.r, x=layer.w * z.x, w=layer.s * z.parts * z.tile, row=1),
                    Loop(end - at, x=count * z.units, w=weights)]
                stream.chunk(bias, loads, [compute(
                    Opcode.STREAM, bank, loops, 2, cfg.min_pass(stream.unit), transpose=1,
                    init=Init.KEEP if at else Init.WORD, extra=bias_at + k_part,
                    relu=int(layer.relu and end == z.in_blocks), bound=Bound.X,
                    rows=high - low, cols=layer.w, row=row0, col=-layer.pads[2],
                    x=(x + row0 * line - layer.pads[2] * z.parts) * z.units,
                    w=w + k_part * (end - at) * weights, s=k_part)
                    for k_part in range(z.parts)])
            stream.end_tile([store(
                f"y{n}", (k_block * layer.ho + first) * layer.wo * z.parts * word,
                (last - first) * layer.wo * z.parts, bank, 0)])


def conv_bp(stream: Stream, n: int, layer: Layer, target: str, masked: str | None,
            part: Part = None) -> None:
    """target ← the error of the layer's input, from e{n}; 0 where `masked` is not above 0."""
    z, cfg, word = Sizes.of(layer, stream), stream.cfg, stream.cfg.word_bytes
    x_room, w_room, s_room = stream.capacity()
    weights = z.taps * z.parts * z.tile
    line, plane = layer.w * z.parts, layer.h * layer.w * z.parts
    source_line, source_plane = layer.wo * z.parts, layer.ho * layer.wo * z.parts
    rows = _fit(layer, "errors", layer.h, lambda r: (
        r * line <= min(s_room, w_room)
        and min(layer.ho, -(-(r + layer.r - 1) // layer.stride) + 1) * source_line <= x_room))
    if z.parts * weights > w_room:
        raise ValueError(f"{layer.name}: W of PU-{stream.unit} must hold {2 * z.parts * weights} "
                         f"words, not {2 * w_room}")
    read = min(layer.ho, -(-(rows + layer.r - 1) // layer.stride) + 1) * source_line
    most = min(x_room // read, w_room // (z.parts * weights))
    for c_block, begin, stop in within(layer.groups * z.in_blocks, layer.h, part):
        group, cb = divmod(c_block, z.in_blocks)
        for first, last in ranges(stop, rows, begin):
            bank = stream.begin_tile()
            low = max(0, -(-(first + layer.pads[0] - layer.r + 1) // layer.stride))
            high = min(layer.ho, (last - 1 + layer.pads[0]) // layer.stride + 1)
            low = min(low, layer.ho - 1)        # rows that no window covers: any will do
            high = max(high, low + 1)
            count = (high - low) * source_line
            for at, end in ranges(z.out_blocks, most):
                x, w = stream.halves()
                block = group * z.out_blocks + at
                tiles = (end - at) * z.parts
                loads = [
                    load(f"e{n}", (block * source_plane + low * source_line) * word, count,
                         Buffer.X, x, chunks=end - at, stride=source_plane * word,
                         word_stride=count),
                    load(f"w{n}", (block * z.parts * z.in_blocks + cb) * weights * word,
                         weights, Buffer.W, w, chunks=tiles,
                         stride=z.in_blocks * weights * word, word_stride=weights)]
                computes = list(_bp_phases(stream, layer, z, bank, x, w,
                                           (first, last, low, high), end - at, count, at == 0))
                stream.chunk([], loads, computes)
            if masked:
                _, w = stream.halves()
                words = (last - first) * line
                stream.chunk([], [load(masked, (c_block * plane + first * line) * word, words,
                                       Buffer.W, w)],
                             [compute(Opcode.VECTOR, bank, [Loop(words, w=1, s=1)], 2,
                                      cfg.min_pass(stream.unit), op=Op.MASK, w=w)])
            stream.end_tile([store(target, (c_block * plane + first * line) * word,
                                   (last - first) * line, bank, 0)])


def _summed(z: Sizes, weights: int) -> list[Loop]:
    """BP's loops over a block of output channels: their units in a word, their words."""
    used = z.out_units if z.out_blocks == 1 else z.x
    parts = -(-used // z.units)
    if z.units == 1:
        return [Loop(parts, x=1, w=weights)]
    if z.parts == 1:
        return [Loop(used, x=1, w=z.rows)]
    return [Loop(z.units, x=1, w=z.rows), Loop(parts, x=z.units, w=weights)]


def _bp_phases(stream: Stream, layer: Layer, z: Sizes, bank: int, x: int, w: int,
               rows: tuple[int, int, int, int], out_blocks: int, count: int, start: bool
               ) -> Iterator[Instruction]:
    """A STREAM per stride phase and part of the block; a phase without taps only needs 0."""
    first, last, low, high = rows
    t, line, source_line = layer.stride, layer.w * z.parts, layer.wo * z.x
    weights, shortest = z.taps * z.parts * z.tile, stream.cfg.min_pass(stream.unit)
    sparse = layer.r < t or layer.s < t
    if start and sparse:
        yield compute(Opcode.VECTOR, bank, [Loop((last - first) * line, s=1)], 2, shortest,
                      op=Op.CLEAR)
    summed = _summed(z, weights)
    # A nest has six loops: with two over the block's channels, an instruction for each block.
    blocks_at = [(0, out_blocks)] if len(summed) == 1 else [(n, 1) for n in range(out_blocks)]
    for py in range(min(t, last - first)):
        for px in range(min(t, layer.w)):
            r0, s0 = (first + py + layer.pads[0]) % t, (px + layer.pads[2]) % t
            if r0 >= layer.r or s0 >= layer.s:
                continue
            row0 = (first + py + layer.pads[0] - r0) // t - low
            col0 = (px + layer.pads[2] - s0) // t
            loops = [
                Loop(-(-(layer.w - px) // t), x=z.x, s=t * z.parts, col=1),
                Loop(-(-(last - first - py) // t), x=source_line, s=t * line, row=1),
                *summed,
                Loop(-(-(layer.s - s0) // t), x=-z.x, w=t * z.parts * z.tile, col=-1),
                Loop(-(-(layer.r - r0) // t), x=-source_line, w=t * layer.s * z.parts * z.tile,
                     row=-1)]
            for part, (block, times) in product(range(z.parts), blocks_at):
                each = [Loop(times, x=count * z.units, w=z.parts * weights)] * (2 - len(summed))
                yield compute(
                    Opcode.STREAM, bank, [*loops, *each], 2, shortest, bound=Bound.X,
                    init=Init.ZERO if start and not sparse and not block else Init.KEEP,
                    rows=high - low, cols=layer.wo, row=row0, col=col0,
                    x=(x + block * count) * z.units + row0 * source_line + col0 * z.x,
                    w=w + block * z.parts * weights
                    + ((r0 * layer.s + s0) * z.parts + part) * z.tile,
                    s=py * line + px * z.parts + part)
