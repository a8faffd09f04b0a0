"""PU-c's instructions for a convolution: FP, BP, GD of one instance.

A *tile* is a block of 16 output (BP: input) channels of some rows; it is loaded, computed on and
stored as a whole. A *chunk* of it is as many blocks of the summed channels as fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from golden.layers import Layer
from golden.tnpu.assemble import Instruction, Loop
from golden.tnpu.regions import blocks
from golden.tnpu.stream import Stream, load, store
from hw.tnpu.config import BLOCK, TNPUConfig
from hw.tnpu.instruction import Bound, Buffer, Init, Op, Opcode


class Sizes(NamedTuple):
    """A layer's sizes on a grid, per group; words of `lanes` values."""

    parts: int          # words of a block of 16 channels
    taps: int
    in_blocks: int      # blocks of a group
    out_blocks: int
    in_parts: int       # words of a block that hold channels at all
    out_parts: int
    tile: int           # words of a lanes × lanes tile

    @classmethod
    def of(cls, layer: Layer, cfg: TNPUConfig) -> Sizes:
        parts = BLOCK // cfg.lanes
        c, k = layer.c // layer.groups, layer.k // layer.groups
        return cls(parts, layer.r * layer.s, blocks(c), blocks(k),
                   min(parts, -(-c // cfg.lanes)), min(parts, -(-k // cfg.lanes)), cfg.lanes)


def ranges(total: int, most: int) -> Iterator[tuple[int, int]]:
    """`total` in pieces of at most `most`, evenly."""
    pieces = -(-total // most)
    for n in range(pieces):
        yield total * n // pieces, total * (n + 1) // pieces


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
                         f"S of PU-c")
    return rows


def _rows_read(layer: Layer, rows: int) -> int:
    return min(layer.h, (rows - 1) * layer.stride + layer.r)


def conv_fp(stream: Stream, n: int, layer: Layer, source: str) -> None:
    """y{n} ← ReLU(conv(source) + b{n})."""
    z, cfg, word = Sizes.of(layer, stream.cfg), stream.cfg, stream.cfg.word_bytes
    x_room, w_room, s_room = stream.capacity()
    weights = z.taps * z.parts * z.tile                 # words of a (k tile, block)
    if z.parts * weights > w_room:
        raise ValueError(f"{layer.name}: W of PU-c must hold {2 * z.parts * weights} words, not "
                         f"{2 * w_room}")
    rows = _fit(layer, "outputs", layer.ho, lambda r: (
        r * layer.wo * z.parts + z.parts <= s_room
        and _rows_read(layer, r) * layer.w * z.parts <= x_room))
    read = _rows_read(layer, rows) * layer.w * z.parts
    most = min(x_room // read, w_room // (z.parts * weights))
    line, plane = layer.w * z.parts, layer.h * layer.w * z.parts
    for group in range(layer.groups):
        for kb in range(z.out_blocks):
            k_block = group * z.out_blocks + kb
            for first, last in ranges(layer.ho, rows):
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
                    parts = z.in_parts if z.in_blocks == 1 else z.parts
                    row0 = first * layer.stride - layer.pads[0] - low
                    loops = [
                        Loop(layer.wo, x=layer.stride * z.parts, s=z.parts, col=layer.stride),
                        Loop(last - first, x=layer.stride * line, s=layer.wo * z.parts,
                             row=layer.stride),
                        Loop(parts, x=1, w=z.tile),
                        Loop(layer.s, x=z.parts, w=z.parts * z.tile, col=1),
                        Loop(layer.r, x=line, w=layer.s * z.parts * z.tile, row=1),
                        Loop(end - at, x=count, w=weights)]
                    stream.chunk(bias, loads, [compute(
                        Opcode.STREAM, bank, loops, 2, cfg.min_pass("c"), transpose=1,
                        init=Init.KEEP if at else Init.WORD, extra=bias_at + part,
                        relu=int(layer.relu and end == z.in_blocks), bound=Bound.X,
                        rows=high - low, cols=layer.w, row=row0, col=-layer.pads[2],
                        x=x + row0 * line - layer.pads[2] * z.parts,
                        w=w + part * (end - at) * weights, s=part)
                        for part in range(z.parts)])
                stream.end_tile([store(
                    f"y{n}", (k_block * layer.ho + first) * layer.wo * z.parts * word,
                    (last - first) * layer.wo * z.parts, bank, 0)])


def conv_bp(stream: Stream, n: int, layer: Layer, target: str, masked: str | None) -> None:
    """target ← the error of the layer's input, from e{n}; 0 where `masked` is not above 0."""
    z, cfg, word = Sizes.of(layer, stream.cfg), stream.cfg, stream.cfg.word_bytes
    x_room, w_room, s_room = stream.capacity()
    weights = z.taps * z.parts * z.tile
    line, plane = layer.w * z.parts, layer.h * layer.w * z.parts
    source_line, source_plane = layer.wo * z.parts, layer.ho * layer.wo * z.parts
    rows = _fit(layer, "errors", layer.h, lambda r: (
        r * line <= min(s_room, w_room)
        and min(layer.ho, -(-(r + layer.r - 1) // layer.stride) + 1) * source_line <= x_room))
    if z.parts * weights > w_room:
        raise ValueError(f"{layer.name}: W of PU-c must hold {2 * z.parts * weights} words, not "
                         f"{2 * w_room}")
    read = min(layer.ho, -(-(rows + layer.r - 1) // layer.stride) + 1) * source_line
    most = min(x_room // read, w_room // (z.parts * weights))
    for group in range(layer.groups):
        for cb in range(z.in_blocks):
            c_block = group * z.in_blocks + cb
            for first, last in ranges(layer.h, rows):
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
                    computes = list(_bp_phases(cfg, layer, z, bank, x, w, (first, last, low, high),
                                               end - at, count, at == 0))
                    stream.chunk([], loads, computes)
                if masked:
                    _, w = stream.halves()
                    words = (last - first) * line
                    stream.chunk([], [load(masked, (c_block * plane + first * line) * word, words,
                                           Buffer.W, w)],
                                 [compute(Opcode.VECTOR, bank, [Loop(words, w=1, s=1)], 2,
                                          cfg.min_pass("c"), op=Op.MASK, w=w)])
                stream.end_tile([store(target, (c_block * plane + first * line) * word,
                                       (last - first) * line, bank, 0)])


def _bp_phases(cfg: TNPUConfig, layer: Layer, z: Sizes, bank: int, x: int, w: int,
               rows: tuple[int, int, int, int], out_blocks: int, count: int, start: bool
               ) -> Iterator[Instruction]:
    """One STREAM per stride phase and part of the block; a phase without taps only needs 0."""
    first, last, low, high = rows
    t, line, source_line = layer.stride, layer.w * z.parts, layer.wo * z.parts
    weights = z.taps * z.parts * z.tile
    sparse = layer.r < t or layer.s < t
    if start and sparse:
        yield compute(Opcode.VECTOR, bank, [Loop((last - first) * line, s=1)], 2,
                      cfg.min_pass("c"), op=Op.CLEAR)
    parts = z.out_parts if z.out_blocks == 1 else z.parts
    for py in range(min(t, last - first)):
        for px in range(min(t, layer.w)):
            r0, s0 = (first + py + layer.pads[0]) % t, (px + layer.pads[2]) % t
            if r0 >= layer.r or s0 >= layer.s:
                continue
            row0 = (first + py + layer.pads[0] - r0) // t - low
            col0 = (px + layer.pads[2] - s0) // t
            loops = [
                Loop(-(-(layer.w - px) // t), x=z.parts, s=t * z.parts, col=1),
                Loop(-(-(last - first - py) // t), x=source_line, s=t * line, row=1),
                Loop(parts, x=1, w=weights),
                Loop(-(-(layer.s - s0) // t), x=-z.parts, w=t * z.parts * z.tile, col=-1),
                Loop(-(-(layer.r - r0) // t), x=-source_line, w=t * layer.s * z.parts * z.tile,
                     row=-1),
                Loop(out_blocks, x=count, w=z.parts * weights)]
            for part in range(z.parts):
                yield compute(
                    Opcode.STREAM, bank, loops, 2, cfg.min_pass("c"),
                    init=Init.ZERO if start and not sparse else Init.KEEP, bound=Bound.X,
                    rows=high - low, cols=layer.wo, row=row0, col=col0,
                    x=x + row0 * source_line + col0 * z.parts,
                    w=w + ((r0 * layer.s + s0) * z.parts + part) * z.tile,
                    s=py * line + px * z.parts + part)


def conv_gd(stream: Stream, n: int, layer: Layer, source: str, first_instance: bool) -> None:
    """gw{n} += weights' gradient of this instance; gb{n} the bias's."""
    z, cfg, word = Sizes.of(layer, stream.cfg), stream.cfg, stream.cfg.word_bytes
    x_room, w_room, s_room = stream.capacity()
    slots = min(cfg.slots, s_room // z.tile)
    if layer.s > slots:
        raise ValueError(f"{layer.name}: slots ({cfg.slots}), and S of PU-c for {z.tile} words of "
                         f"each, must hold a row of the kernel, {layer.s} taps")
    whole = z.taps <= slots and z.parts == 1
    per_rows = min(layer.r, slots // layer.s)
    together = max(1, min(z.in_blocks, slots // z.taps)) if whole else 1
    line, plane = layer.w * z.parts, layer.h * layer.w * z.parts
    source_line, source_plane = layer.wo * z.parts, layer.ho * layer.wo * z.parts

    def fits(rows: int, cbs: int) -> bool:
        return (rows * source_line <= x_room
                and cbs * _rows_read(layer, rows) * line <= w_room)
    while together > 1 and not fits(min(layer.ho, 8), together):
        together -= 1
    rows = _fit(layer, "inputs", layer.ho, lambda r: fits(r, together))
    weights = z.taps * z.parts * z.tile
    for group in range(layer.groups):
        for kb in range(z.out_blocks):
            for k_part in range(z.out_parts if z.out_blocks == 1 else z.parts):
                k_tile = (group * z.out_blocks + kb) * z.parts + k_part
                for cb, cb_end in ranges(z.in_blocks, together):
                    c_parts = z.in_parts if z.in_blocks == 1 else z.parts
                    for c_part in range(c_parts):
                        for r0, r1 in ranges(layer.r, per_rows):
                            offset = ((k_tile * z.in_blocks + cb) * weights
                                      + (r0 * layer.s * z.parts + c_part) * z.tile) * word
                            _gd_tile(stream, n, layer, z, source, first_instance, (r0, r1),
                                     (cb, cb_end, c_part), (group * z.out_blocks + kb, k_part),
                                     group * z.in_blocks, rows, offset, plane, source_plane)
    if layer.bias:
        _bias_gd(stream, n, layer, z, first_instance)


def _gd_tile(stream: Stream, n: int, layer: Layer, z: Sizes, source: str, first_instance: bool,
             kernel: tuple[int, int], inputs: tuple[int, int, int], outputs: tuple[int, int],
             group_block: int, rows: int, offset: int, plane: int, source_plane: int) -> None:
    """Some rows of the kernel, for lanes outputs and some blocks (or one word) of inputs."""
    cfg, word = stream.cfg, stream.cfg.word_bytes
    (r0, r1), (cb, cb_end, c_part), (k_block, k_part) = kernel, inputs, outputs
    line, source_line = layer.w * z.parts, layer.wo * z.parts
    slots = (r1 - r0) * layer.s * (cb_end - cb)
    chunks, beats = (1, slots * z.tile) if z.parts == 1 else (slots, z.tile)
    bank = stream.begin_tile()
    where = {"chunks": chunks, "stride": z.parts * z.tile * word, "word_stride": z.tile}
    for at, end in ranges(layer.ho, rows):
        x, w = stream.halves()
        low, high = window(layer, at, end)
        count = (high - low) * line
        sums = [] if at or first_instance else [
            load(f"gw{n}", offset, beats, Buffer.S1 if bank else Buffer.S0, 0, **where)]
        loads = [load(f"e{n}", (k_block * source_plane + at * source_line) * word,
                      (end - at) * source_line, Buffer.X, x),
                 load(source, ((group_block + cb) * plane + low * line) * word, count, Buffer.W, w,
                      chunks=cb_end - cb, stride=plane * word, word_stride=count)]
        row0, col0 = at * layer.stride - layer.pads[0] - low + r0, -layer.pads[2]
        computes = [compute(
            Opcode.LOCAL, bank, [
                Loop(layer.s, w=z.parts, col=1),
                Loop(r1 - r0, w=line, row=1),
                Loop(cb_end - cb, w=count),
                Loop(layer.wo, x=z.parts, w=layer.stride * z.parts, col=layer.stride),
                Loop(end - at, x=source_line, w=layer.stride * line, row=layer.stride)],
            3, cfg.slot_distance, scalar=1, init=Init.KEEP if at else Init.ZERO, bound=Bound.W,
            rows=high - low, cols=layer.w, row=row0, col=col0, x=x + k_part,
            w=w + row0 * line + col0 * z.parts + c_part)]
        if end == layer.ho:
            computes.append(compute(
                Opcode.DRAIN, bank, [Loop(z.tile, s=1), Loop(slots, s=z.tile)], 2, 0,
                init=Init.ZERO if first_instance else Init.KEEP))
        stream.chunk(sums, loads, computes)
    stream.end_tile([store(f"gw{n}", offset, beats, bank, 0, **where)])


def _bias_gd(stream: Stream, n: int, layer: Layer, z: Sizes, first_instance: bool) -> None:
    cfg, word = stream.cfg, stream.cfg.word_bytes
    _, w_room, s_room = stream.capacity()
    source_line, source_plane = layer.wo * z.parts, layer.ho * layer.wo * z.parts
    all_blocks = z.out_blocks * layer.groups
    most = min(cfg.slots, s_room)
    together = max(1, min(all_blocks, most // z.parts, w_room // source_line))
    if z.parts > most:
        together, split = 1, z.parts
    else:
        split = 1
    rows = _fit(layer, "errors", layer.ho, lambda r: together * r * source_line <= w_room)
    for kb, kb_end in ranges(all_blocks, together):
        for part in range(split):
            words = 1 if split > 1 else z.parts
            bank, slots = stream.begin_tile(), (kb_end - kb) * words
            offset = (kb * z.parts + part) * word
            for at, end in ranges(layer.ho, rows):
                _, w = stream.halves()
                count = (end - at) * source_line
                sums = [] if at or first_instance else [
                    load(f"gb{n}", offset, slots, Buffer.S1 if bank else Buffer.S0, 0)]
                computes = [compute(
                    Opcode.LOCAL, bank, [
                        Loop(words, w=1), Loop(kb_end - kb, w=count), Loop(),
                        Loop(layer.wo, w=z.parts), Loop(end - at, w=source_line)],
                    3, cfg.slot_distance, imm=0x3F800000, init=Init.KEEP if at else Init.ZERO,
                    w=w + part)]
                if end == layer.ho:
                    computes.append(compute(
                        Opcode.DRAIN, bank, [Loop(), Loop(slots, s=1)], 2, 0,
                        init=Init.ZERO if first_instance else Init.KEEP))
                stream.chunk(sums, [load(
                    f"e{n}", (kb * source_plane + at * source_line) * word, count, Buffer.W, w,
                    chunks=kb_end - kb, stride=source_plane * word, word_stride=count)], computes)
            stream.end_tile([store(f"gb{n}", offset, slots, bank, 0)])
