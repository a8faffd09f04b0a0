"""PU-f's instructions: fully connected layers, the loss, the update of all weights.

Vectors are [16·n]; weights lie in tiles of lanes × lanes: [k tile][j tile][lanes k][lanes j].
"""

from __future__ import annotations

from golden.layers import Layer
from golden.tnpu.assemble import Instruction, Loop
from golden.tnpu.emit_conv import compute, ranges
from golden.tnpu.emit_pool import bits
from golden.tnpu.regions import blocks, step_bytes
from golden.tnpu.stream import Stream, load, store
from hw.tnpu.config import BLOCK
from hw.tnpu.instruction import Buffer, Init, Op, Opcode, Operand


def _tiles(layer: Layer, places: int, lanes: int) -> tuple[int, int]:
    """Words of the output vector and of the input vector: k tiles, j tiles."""
    return blocks(layer.k) * BLOCK // lanes, blocks(places) * BLOCK // lanes


def _bank(bank: int) -> Buffer:
    return Buffer.S1 if bank else Buffer.S0


def _together(stream: Stream, layer: Layer, tiles: int) -> int:
    """Slots that share a pass: as W can hold a tile of each, and S their sums."""
    _, w_room, s_room = stream.capacity()
    most = min(stream.cfg.slots, w_room // stream.cfg.lanes, s_room)
    if most < 1:
        raise ValueError(f"{layer.name}: W of PU-f must hold {2 * stream.cfg.lanes} words")
    return min(tiles, most)


def fc_fp(stream: Stream, n: int, layer: Layer, places: int, source: str) -> None:
    """y{n} ← ReLU(b{n} + w{n} · source): a dot product per lane and slot. `places`: of source."""
    cfg, word, lanes = stream.cfg, stream.cfg.word_bytes, stream.cfg.lanes
    x_room, w_room, _ = stream.capacity()
    k_tiles, j_tiles = _tiles(layer, places, lanes)
    for k0, k1 in ranges(k_tiles, _together(stream, layer, k_tiles)):
        slots, bank = k1 - k0, stream.begin_tile()
        for j0, j1 in ranges(j_tiles, min(x_room, w_room // (lanes * slots))):
            x, w = stream.halves()
            words = (j1 - j0) * lanes
            sums = [] if j0 else [load(f"b{n}", k0 * word, slots, _bank(bank), 0)]
            loads = [load(source, j0 * word, j1 - j0, Buffer.X, x),
                     load(f"w{n}", (k0 * j_tiles + j0) * lanes * word, words, Buffer.W, w,
                          chunks=slots, stride=j_tiles * lanes * word, word_stride=words)]
            computes = [compute(
                Opcode.LOCAL, bank, [Loop(slots, w=words), Loop(), Loop(), Loop(words, x=1, w=1)],
                3, cfg.slot_distance, operand=Operand.VALUE, transpose=1, x=x * lanes, w=w,
                init=Init.KEEP if j0 else Init.ZERO)]
            if j1 == j_tiles:
                computes.append(compute(Opcode.DRAIN, bank, [Loop(), Loop(slots, s=1)], 2, 0,
                                        relu=int(layer.relu)))
            stream.chunk(sums, loads, computes)
        stream.end_tile([store(f"y{n}", k0 * word, slots, bank, 0)])


def fc_bp(stream: Stream, n: int, layer: Layer, places: int, target: str,
          masked: str | None) -> None:
    """target ← e{n} · w{n}: scaled rows; 0 where `masked` is not above 0."""
    cfg, word, lanes = stream.cfg, stream.cfg.word_bytes, stream.cfg.lanes
    x_room, w_room, _ = stream.capacity()
    k_tiles, j_tiles = _tiles(layer, places, lanes)
    for j0, j1 in ranges(j_tiles, _together(stream, layer, j_tiles)):
        slots, bank = j1 - j0, stream.begin_tile()
        words = slots * lanes
        for k0, k1 in ranges(k_tiles, min(x_room, w_room // words)):
            x, w = stream.halves()
            loads = [load(f"e{n}", k0 * word, k1 - k0, Buffer.X, x),
                     load(f"w{n}", (k0 * j_tiles + j0) * lanes * word, words, Buffer.W, w,
                          chunks=k1 - k0, stride=j_tiles * lanes * word, word_stride=words)]
            computes = [compute(
                Opcode.LOCAL, bank, [Loop(slots, w=lanes), Loop(), Loop(), Loop(lanes, x=1, w=1),
                                     Loop(k1 - k0, x=lanes, w=words)],
                3, cfg.slot_distance, operand=Operand.VALUE, x=x * lanes, w=w,
                init=Init.KEEP if k0 else Init.ZERO)]
            if k1 == k_tiles:
                computes.append(compute(Opcode.DRAIN, bank, [Loop(), Loop(slots, s=1)], 2, 0,
                                        init=Init.ZERO))
            stream.chunk([], loads, computes)
        if masked:
            _, w = stream.halves()
            stream.chunk([], [load(masked, j0 * word, slots, Buffer.W, w)],
                         [compute(Opcode.VECTOR, bank, [Loop(slots, w=1, s=1)], 2,
                                  cfg.min_pass("f"), op=Op.MASK, w=w)])
        stream.end_tile([store(target, j0 * word, slots, bank, 0)])


def fc_gd(stream: Stream, n: int, layer: Layer, places: int, source: str,
          first_instance: bool) -> None:
    """gw{n} += e{n} × source, in memory; gb{n} += e{n}."""
    cfg, word, lanes = stream.cfg, stream.cfg.word_bytes, stream.cfg.lanes
    x_room, w_room, s_room = stream.capacity()
    k_tiles, j_tiles = _tiles(layer, places, lanes)
    across = max(1, min(j_tiles, s_room // lanes, w_room))
    down = max(1, min(k_tiles, s_room // (lanes * j_tiles), x_room)) if across == j_tiles else 1
    for k0, k1 in ranges(k_tiles, down):
        for j0, j1 in ranges(j_tiles, across):
            bank, (x, w) = stream.begin_tile(), stream.halves()
            offset = (k0 * j_tiles + j0) * lanes * word
            words = (k1 - k0) * (j1 - j0) * lanes
            sums = [] if first_instance else [load(f"gw{n}", offset, words, _bank(bank), 0)]
            stream.chunk(
                sums, [load(f"e{n}", k0 * word, k1 - k0, Buffer.X, x),
                       load(source, j0 * word, j1 - j0, Buffer.W, w)],
                [compute(Opcode.VECTOR, bank, [
                    Loop(lanes, x=1, s=1), Loop(j1 - j0, w=1, s=lanes),
                    Loop(k1 - k0, x=lanes, s=(j1 - j0) * lanes)], 3, cfg.min_pass("f"),
                    op=Op.AXPY, operand=Operand.VALUE, x=x * lanes, w=w,
                    init=Init.ZERO if first_instance else Init.KEEP)])
            stream.end_tile([store(f"gw{n}", offset, words, bank, 0)])
    if layer.bias:
        _vector(stream, f"gb{n}", f"gb{n}", f"e{n}", 1.0, k_tiles, fresh=first_instance)


def fc_gd_batch(stream: Stream, n: int, layer: Layer, places: int, source: str,
                batch: int) -> None:
    """gw{n}, gb{n} ← those of the whole batch, from every instance's e{n} and source: a tile of
    sums stays on chip until all instances are added, and is written once."""
    word, lanes = stream.cfg.word_bytes, stream.cfg.lanes
    x_room, w_room, s_room = stream.capacity()
    k_tiles, j_tiles = _tiles(layer, places, lanes)
    across = max(1, min(j_tiles, s_room // lanes, w_room))
    down = max(1, min(k_tiles, s_room // (lanes * j_tiles), x_room)) if across == j_tiles else 1
    errors, inputs = (step_bytes(tiles * lanes) for tiles in (k_tiles, j_tiles))
    for k0, k1 in ranges(k_tiles, down):
        for j0, j1 in ranges(j_tiles, across):
            bank, (rows, cols) = stream.begin_tile(), (k1 - k0, j1 - j0)
            for i0, i1 in ranges(batch, min(x_room // rows, w_room // cols)):
                x, w = stream.halves()
                loads = [load(f"e{n}", i0 * errors + k0 * word, rows, Buffer.X, x, chunks=i1 - i0,
                              stride=errors, word_stride=rows),
                         load(source, i0 * inputs + j0 * word, cols, Buffer.W, w, chunks=i1 - i0,
                              stride=inputs, word_stride=cols)]
                places_of = [Loop(lanes, x=1, s=1), Loop(cols, w=1, s=lanes),
                             Loop(rows, x=lanes, s=cols * lanes)]
                stream.chunk([], loads, _added(
                    stream, bank, places_of, 3, i1 - i0, Loop(x=rows * lanes, w=cols), i0 == 0,
                    operand=Operand.VALUE, x=x * lanes, w=w))
            stream.end_tile([store(f"gw{n}", (k0 * j_tiles + j0) * lanes * word,
                                   rows * cols * lanes, bank, 0)])
    if not layer.bias:
        return
    for k0, k1 in ranges(k_tiles, min(s_room, w_room)):
        bank = stream.begin_tile()
        for i0, i1 in ranges(batch, w_room // (k1 - k0)):
            _, w = stream.halves()
            stream.chunk([], [load(f"e{n}", i0 * errors + k0 * word, k1 - k0, Buffer.W, w,
                                   chunks=i1 - i0, stride=errors, word_stride=k1 - k0)],
                         _added(stream, bank, [Loop(k1 - k0, w=1, s=1), Loop()], 2, i1 - i0,
                                Loop(w=k1 - k0), i0 == 0, imm=bits(1.0), w=w))
        stream.end_tile([store(f"gb{n}", k0 * word, k1 - k0, bank, 0)])


def _added(stream: Stream, bank: int, places: list[Loop], inner: int, instances: int, step: Loop,
           fresh: bool, **fields: int) -> list[Instruction]:
    """S + a·W of so many instances, `step` apart; the first starts from +0.0 if `fresh`."""
    shortest, out = stream.cfg.min_pass("f"), []
    if fresh:
        out.append(compute(Opcode.VECTOR, bank, places, inner, shortest, op=Op.AXPY,
                           init=Init.ZERO, **fields))
        fields = fields | {"x": fields.get("x", 0) + step.x, "w": fields["w"] + step.w}
        instances -= 1
    if instances:
        out.append(compute(Opcode.VECTOR, bank, [*places, step._replace(times=instances)], inner,
                           shortest, op=Op.AXPY, init=Init.KEEP, **fields))
    return out


def resident_words(layer: Layer, places: int, lanes: int) -> int:
    """Words of S that a layer's gradients take, the bias's included."""
    k_tiles, j_tiles = _tiles(layer, places, lanes)
    return k_tiles * j_tiles * lanes + k_tiles * layer.bias


def fc_gd_chip(stream: Stream, n: int, layer: Layer, places: int, source: str, at: int,
               first_instance: bool, last_instance: bool) -> None:
    """The resident bank from word `at` on: += e{n} × source, then += e{n}; after the last instance
    gw{n} and gb{n} are written."""
    cfg, word, lanes = stream.cfg, stream.cfg.word_bytes, stream.cfg.lanes
    x_room, w_room, _ = stream.capacity()
    k_tiles, j_tiles = _tiles(layer, places, lanes)
    init, shortest = Init.ZERO if first_instance else Init.KEEP, cfg.min_pass("f")
    biases = at + k_tiles * j_tiles * lanes
    bank = stream.begin_resident()
    for k0, k1 in ranges(k_tiles, min(k_tiles, x_room)):
        for j0, j1 in ranges(j_tiles, min(j_tiles, w_room)):
            x, w = stream.halves()
            stream.chunk([], [load(f"e{n}", k0 * word, k1 - k0, Buffer.X, x),
                              load(source, j0 * word, j1 - j0, Buffer.W, w)], [compute(
                Opcode.VECTOR, bank, [
                    Loop(lanes, x=1, s=1), Loop(j1 - j0, w=1, s=lanes),
                    Loop(k1 - k0, x=lanes, s=j_tiles * lanes)], 3, shortest, op=Op.AXPY,
                operand=Operand.VALUE, x=x * lanes, w=w, s=at + (k0 * j_tiles + j0) * lanes,
                init=init)])
    for k0, k1 in ranges(k_tiles * layer.bias, w_room):
        _, w = stream.halves()
        stream.chunk([], [load(f"e{n}", k0 * word, k1 - k0, Buffer.W, w)], [compute(
            Opcode.VECTOR, bank, [Loop(k1 - k0, w=1, s=1)], 2, shortest, op=Op.AXPY,
            imm=bits(1.0), w=w, s=biases + k0, init=init)])
    stores = [store(f"gw{n}", 0, biases - at, bank, at)]
    if layer.bias:
        stores.append(store(f"gb{n}", 0, k_tiles, bank, biases))
    stream.end_resident(stores if last_instance else [])


def _vector(stream: Stream, target: str, s: str, w: str, a: float, words: int, *,
            fresh: bool = False, mask: str | None = None) -> None:
    """target ← s + a·w, word by word; +0.0 for s if `fresh`; 0 where `mask` is not above 0."""
    _, w_room, s_room = stream.capacity()
    word, shortest = stream.cfg.word_bytes, stream.cfg.min_pass(stream.unit)
    for at, end in ranges(words, min(s_room, w_room // (2 if mask else 1))):
        bank, (_, half) = stream.begin_tile(), stream.halves()
        count = end - at
        loads = [load(w, at * word, count, Buffer.W, half)]
        computes = [compute(Opcode.VECTOR, bank, [Loop(count, w=1, s=1)], 2, shortest, op=Op.AXPY,
                            imm=bits(a), w=half, init=Init.ZERO if fresh else Init.KEEP)]
        if mask:
            loads.append(load(mask, at * word, count, Buffer.W, half + count))
            computes.append(compute(Opcode.VECTOR, bank, [Loop(count, w=1, s=1)], 2, shortest,
                                    op=Op.MASK, w=half + count))
        stream.chunk([] if fresh else [load(s, at * word, count, _bank(bank), 0)], loads, computes)
        stream.end_tile([store(target, at * word, count, bank, 0)])


def loss(stream: Stream, output: str, error: str, words: int, mask: bool) -> None:
    """error ← output − target, masked where the output's ReLU was."""
    _vector(stream, error, output, "target", -1.0, words, mask=output if mask else None)


def update(stream: Stream, names: list[tuple[str, int]], rate: float, momentum: float) -> None:
    """WU: v ← g + μ·v; w ← w − η·v, for regions given as (suffix of g and v, words)."""
    cfg, word = stream.cfg, stream.cfg.word_bytes
    _, w_room, s_room = stream.capacity()
    shortest = cfg.min_pass(stream.unit)
    for name, words in names:
        for at, end in ranges(words, min(s_room, w_room // 2)):
            bank, (_, half) = stream.begin_tile(), stream.halves()
            count, offset = end - at, at * word

            def step(op: Op, a: float, w: int, bank: int = bank, count: int = count
                     ) -> Instruction:
                return compute(Opcode.VECTOR, bank, [Loop(count, w=1, s=1)], 2, shortest, op=op,
                               imm=bits(a), w=w)
            stream.chunk([load(f"g{name}", offset, count, _bank(bank), 0)],
                         [load(f"v{name}", offset, count, Buffer.W, half),
                          load(name, offset, count, Buffer.W, half + count)],
                         [step(Op.AXPY, momentum, half)])
            stream.between([store(f"v{name}", offset, count, bank, 0)],
                           [step(Op.SWAP, -rate, half + count)])
            stream.end_tile([store(name, offset, count, bank, 0)])
