"""A unit's instructions for GD of a convolution: the weights' and the bias's gradients of an
instance. A tile is what the slots take: some rows of the kernel, or whole kernels of some blocks of
input channels, for as many output channels as the unit has rows. `part`: of all pairs of blocks."""

from __future__ import annotations

from typing import NamedTuple

from golden.layers import Layer
from golden.tnpu.assemble import Loop
from golden.tnpu.emit_conv import Part, Sizes, _fit, _rows_read, compute, ranges, window, within
from golden.tnpu.stream import Stream, load, store
from hw.tnpu.instruction import Bound, Buffer, Init, Opcode, Operand


class _Tile(NamedTuple):
    """Kernel rows r0 to r1; inputs: blocks (of all groups) and the word of a block; outputs: the
    block and its unit."""

    kernel: tuple[int, int]
    inputs: tuple[int, int, int]
    outputs: tuple[int, int]
    offset: int             # of the gradients, bytes


def conv_gd(stream: Stream, n: int, layer: Layer, source: str, first_instance: bool,
            part: Part = None) -> None:
    """gw{n} += weights' gradient of this instance; gb{n} the bias's, with the first pair."""
    z, cfg, word = Sizes.of(layer, stream), stream.cfg, stream.cfg.word_bytes
    x_room, w_room, s_room = stream.capacity()
    slots = min(cfg.slots, s_room // z.rows)
    if layer.s > slots:
        raise ValueError(f"{layer.name}: slots ({cfg.slots}), and S of PU-{stream.unit} for "
                         f"{z.rows} words of each, must hold a row of the kernel, {layer.s} taps")
    whole = z.taps <= slots and z.parts == 1
    per_rows = min(layer.r, slots // layer.s)
    together = max(1, min(z.in_blocks, slots // z.taps)) if whole else 1
    line, source_line = layer.w * z.parts, layer.wo * z.parts

    def fits(rows: int, cbs: int) -> bool:
        return (rows * source_line <= x_room
                and cbs * _rows_read(layer, rows) * line <= w_room)
    while together > 1 and not fits(min(layer.ho, 8), together):
        together -= 1
    rows = _fit(layer, "inputs", layer.ho, lambda r: fits(r, together))
    weights = z.taps * z.parts * z.tile
    for k_block, begin, stop in within(layer.groups * z.out_blocks, z.in_blocks, part):
        above = k_block // z.out_blocks * z.in_blocks       # blocks of the groups before
        for unit in range(z.out_units if z.out_blocks == 1 else z.x):
            k_tile, of_tile = k_block * z.parts + unit // z.units, unit % z.units * z.rows
            for cb, cb_end in ranges(stop, together, begin):
                for c_part in range(z.in_parts if z.in_blocks == 1 else z.parts):
                    for r0, r1 in ranges(layer.r, per_rows):
                        offset = ((k_tile * z.in_blocks + cb) * weights + of_tile
                                  + (r0 * layer.s * z.parts + c_part) * z.tile) * word
                        _gd_tile(stream, n, layer, z, source, first_instance, rows, _Tile(
                            (r0, r1), (above + cb, above + cb_end, c_part), (k_block, unit),
                            offset))
    if layer.bias and (part is None or part[0] == 0):
        _bias_gd(stream, n, layer, z, first_instance)


def _gd_tile(stream: Stream, n: int, layer: Layer, z: Sizes, source: str, first_instance: bool,
             rows: int, tile: _Tile) -> None:
    cfg, word = stream.cfg, stream.cfg.word_bytes
    (r0, r1), (cb, cb_end, c_part), (k_block, unit) = tile.kernel, tile.inputs, tile.outputs
    line, source_line = layer.w * z.parts, layer.wo * z.parts
    plane, source_plane = layer.h * line, layer.ho * source_line
    slots = (r1 - r0) * layer.s * (cb_end - cb)
    dense = z.parts == 1 and z.rows == z.tile           # one slot's words follow the other's
    chunks, beats = (1, slots * z.rows) if dense else (slots, z.rows)
    bank = stream.begin_tile()
    where = {"chunks": chunks, "stride": z.parts * z.tile * word, "word_stride": z.rows}
    for at, end in ranges(layer.ho, rows):
        x, w = stream.halves()
        low, high = window(layer, at, end)
        count = (high - low) * line
        sums = [] if at or first_instance else [
            load(f"gw{n}", tile.offset, beats, Buffer.S1 if bank else Buffer.S0, 0, **where)]
        loads = [load(f"e{n}", (k_block * source_plane + at * source_line) * word,
                      (end - at) * source_line, Buffer.X, x),
                 load(source, (cb * plane + low * line) * word, count, Buffer.W, w,
                      chunks=cb_end - cb, stride=plane * word, word_stride=count)]
        row0, col0 = at * layer.stride - layer.pads[0] - low + r0, -layer.pads[2]
        computes = [compute(
            Opcode.LOCAL, bank, [
                Loop(layer.s, w=z.parts, col=1),
                Loop(r1 - r0, w=line, row=1),
                Loop(cb_end - cb, w=count),
                Loop(layer.wo, x=z.x, w=layer.stride * z.parts, col=layer.stride),
                Loop(end - at, x=layer.wo * z.x, w=layer.stride * line, row=layer.stride)],
            3, cfg.slot_distance, operand=Operand.ROWS, init=Init.KEEP if at else Init.ZERO,
            bound=Bound.W, rows=high - low, cols=layer.w, row=row0, col=col0,
            x=x * z.units + unit, w=w + row0 * line + col0 * z.parts + c_part)]
        if end == layer.ho:
            computes.append(compute(
                Opcode.DRAIN, bank, [Loop(z.rows, s=1), Loop(slots, s=z.rows)], 2, 0,
                init=Init.ZERO if first_instance else Init.KEEP))
        stream.chunk(sums, loads, computes)
    stream.end_tile([store(f"gw{n}", tile.offset, beats, bank, 0, **where)])


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
