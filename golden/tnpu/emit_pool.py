"""PU-c's instructions for pooling and its way back."""

from __future__ import annotations

import numpy as np

from golden.layers import Layer
from golden.tnpu.assemble import Instruction, Loop
from golden.tnpu.emit_conv import _fit, compute, ranges
from golden.tnpu.regions import blocks
from golden.tnpu.stream import Stream, load, store
from hw.tnpu.config import BLOCK
from hw.tnpu.instruction import Buffer, Op, Opcode


def bits(value: float) -> int:
    """A number's fp32 bits."""
    return int(np.float32(value).view(np.uint32))


def pool_fp(stream: Stream, n: int, layer: Layer) -> None:
    """p{n} (and a{n}) ← pooled y{n}."""
    pool, cfg, word = layer.pool, stream.cfg, stream.cfg.word_bytes
    assert pool is not None
    parts, maximum = BLOCK // cfg.lanes, pool.kind == "max"
    _, w_room, s_room = stream.capacity()
    line, out_line = layer.wo * parts, layer.out_w * parts
    rows = _fit(layer, "pooling windows", layer.out_h, lambda r: (
        r * out_line * (2 if maximum else 1) <= s_room
        and ((r - 1) * pool.s + pool.k) * line <= w_room))
    for block in range(blocks(layer.k)):
        for first, last in ranges(layer.out_h, rows):
            bank, (_, w) = stream.begin_tile(), stream.halves()
            out = (last - first) * out_line
            window = [Loop(pool.k, w=parts), Loop(pool.k, w=line)]
            places = [Loop(parts, w=1, s=1), Loop(layer.out_w, w=pool.s * parts, s=parts),
                      Loop(last - first, w=pool.s * line, s=out_line)]
            computes = [compute(Opcode.POOL, bank, [*window, *places], 2, 0, gap=1, extra=out, w=w)
                        ] if maximum else [
                compute(Opcode.VECTOR, bank, [Loop(out, s=1)], 2, cfg.min_pass("c"), op=Op.CLEAR),
                compute(Opcode.VECTOR, bank, [*places, *window], 3, cfg.min_pass("c"), op=Op.AXPY,
                        w=w, imm=bits(1 / pool.k**2))]
            source = (block * layer.ho + first * pool.s) * line * word
            stream.chunk([], [load(f"y{n}", source, ((last - first - 1) * pool.s + pool.k) * line,
                                   Buffer.W, w)], computes)
            at = (block * layer.out_h + first) * out_line * word
            stores = [store(f"p{n}", at, out, bank, 0)]
            if maximum:
                stores.append(store(f"a{n}", at, out, bank, out))
            stream.end_tile(stores)


def unpool(stream: Stream, n: int, layer: Layer) -> None:
    """e{n} ← q{n} through the pooling, 0 where ReLU was."""
    pool, cfg, word = layer.pool, stream.cfg, stream.cfg.word_bytes
    assert pool is not None
    parts, maximum = BLOCK // cfg.lanes, pool.kind == "max"
    x_room, w_room, s_room = stream.capacity()
    line, out_line = layer.wo * parts, layer.out_w * parts

    def source(rows: int) -> int:
        """Rows of a tile of so many rows of windows, at most."""
        rest = max(0, layer.ho - layer.out_h * pool.s)      # no window reaches these
        return layer.ho if rows == layer.out_h else rows * pool.s + rest

    def fits(rows: int) -> bool:
        apart = pool.k <= pool.s or rows == layer.out_h     # no window reaches into another tile
        return (apart and source(rows) * line <= s_room and rows * out_line <= x_room
                and rows * out_line + source(rows) * line * layer.relu <= w_room)
    rows = next((r for r in range(layer.out_h, 0, -1) if fits(r)), 0)
    if not rows:
        raise ValueError(f"{layer.name}: X, W and S of PU-c must hold "
                         f"{'the plane' if pool.k > pool.s else 'a row'} to pool back")
    for block in range(blocks(layer.k)):
        for first, last in ranges(layer.out_h, rows):
            bank, (x, w) = stream.begin_tile(), stream.halves()
            low, high = first * pool.s, layer.ho if last == layer.out_h else last * pool.s
            words, out = (high - low) * line, (last - first) * out_line
            at = (block * layer.out_h + first) * out_line * word
            here = (block * layer.ho + low) * line * word
            loads = [load(f"q{n}", at, out, Buffer.W, w)]
            if maximum:
                loads.insert(0, load(f"a{n}", at, out, Buffer.X, x))
            if layer.relu:
                loads.append(load(f"y{n}", here, words, Buffer.W, w + out))
            stream.chunk([], loads, _unpool_tile(stream, layer, bank, (x, w), first, last, words,
                                                 out))
            stream.end_tile([store(f"e{n}", here, words, bank, 0)])


def _unpool_tile(stream: Stream, layer: Layer, bank: int, at: tuple[int, int], first: int,
                 last: int, words: int, out: int) -> list[Instruction]:
    pool, cfg = layer.pool, stream.cfg
    assert pool is not None
    (x, w), parts, shortest = at, BLOCK // cfg.lanes, cfg.min_pass("c")
    line, out_line = layer.wo * parts, layer.out_w * parts
    # Where windows overlap, the next group meets a sum less than a row of windows earlier.
    apart = shortest + (out_line if pool.k > pool.s else 0)
    units = cfg.x_units("c")
    loops = [Loop(parts, x=units, w=1, s=1),
             Loop(layer.out_w, x=parts * units, w=parts, s=pool.s * parts),
             Loop(last - first, x=out_line * units, w=out_line, s=pool.s * line),
             Loop(pool.k, s=parts), Loop(pool.k, s=line)]
    scale = bits(1 / pool.k**2)
    how = ({"op": Op.ROUTE, "x": x * units} if pool.kind == "max"
           else {"op": Op.AXPY, "imm": scale})
    out_of = [compute(Opcode.VECTOR, bank, [Loop(words, s=1)], 2, shortest, op=Op.CLEAR),
              compute(Opcode.VECTOR, bank, loops, 3, apart, w=w, **how)]
    if layer.relu:
        out_of.append(compute(Opcode.VECTOR, bank, [Loop(words, w=1, s=1)], 2, shortest,
                              op=Op.MASK, w=w + out))
    return out_of
