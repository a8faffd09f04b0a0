# Pooling of outputs on their way to memory. Ours: the paper leaves the way out open.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.select import select

from .edge import group_layout
from .layouts import descriptor_layout
from .pool_buffer import PoolBuffer


def output_layout(cfg):
    """A group of outputs for memory: its line there (from ``store_addr``), how many groups its
    line of outputs has from it on; ``fresh``: not behind the one before; ``mark``: no group, but
    the end of those that come together. For the naive array: ``channels`` of the group, less 1."""
    return data.StructLayout({"values": group_layout(cfg), "place": 32, "left": 16, "fresh": 1,
                              "mark": 1, **({"channels": range(cfg.group)} if cfg.naive else {})})


class Pool(wiring.Component):
    """Takes the rows' groups in their fixed order (pixel tile; channel group; row) and pools them.

    Without pooling a group goes through in the cycle in which it comes. With it, a group is taken
    in one cycle and kept in a buffer of ``pool_k`` output lines per channel group. If it completes
    the next window (raster order), that takes ``pool_k²`` cycles to read, one more, with averages
    ``data_bits + 2``, one or more to hand over, and one to look whether the window behind it is
    complete as well. After the groups of a tile and channel group comes a mark.

    Parameters
    ----------
    cfg : StationaryConfig

    Members
    -------
    layer : In(descriptor_layout(cfg))
        Constant during a pass.
    start : In(1)
    i : In(stream.Signature(group_layout(cfg))).array(rows)
    o : Out(stream.Signature(output_layout(cfg)))
    idle : Out(1)
        Not within a pass.
    overflow : Out(1)
        A group comes for which the buffer has no place.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "layer": In(descriptor_layout(cfg)),
            "start": In(1),
            "i": In(stream.Signature(group_layout(cfg))).array(cfg.rows),
            "o": Out(stream.Signature(output_layout(cfg))),
            "idle": Out(1),
            "overflow": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, layer = self.cfg, self.layer
        pooling = Signal()
        m.d.comb += pooling.eq(layer.pool != 0)
        # The pixel: its place, its output line's in memory and in the buffer. The window: its
        # place, that of its upper left cell, and the same two.
        pixel = data.StructLayout({"x": 16, "y": 16, "lines": 32, "cells": 16})
        window = data.StructLayout({"x": 16, "y": 16, "left": signed(17), "top": signed(17),
                                    "lines": 32, "cells": 16})
        at, tile_at = Signal(pixel), Signal(pixel)
        win, tile_win = Signal(window), Signal(window)
        tile, row, kernel = Signal(16), Signal(range(cfg.rows)), Signal(17)
        group_lines, group_cells = Signal(32), Signal(17)       # where the channel group begins
        pixels, emitted = Signal(9), Signal()
        last_row, last_group, last_tile = Signal(), Signal(), Signal()
        m.d.comb += [
            pixels.eq(layer.tile_pixels + (tile < layer.tile_more)),
            last_row.eq(row == pixels - 1),
            last_group.eq(kernel + cfg.group >= layer.kernels),
            last_tile.eq(tile == layer.tiles - 1),
        ]

        # Is the window complete with the pixel?
        bottom, right, complete = Signal(signed(18)), Signal(signed(18)), Signal()
        lowest, rightmost = layer.out_rows - 1, layer.line_pixels - 1
        m.d.comb += [
            bottom.eq(Mux(win.top + layer.pool_k > layer.out_rows, lowest,
                          win.top + layer.pool_k - 1)),
            right.eq(Mux(win.left + layer.pool_k > layer.line_pixels, rightmost,
                         win.left + layer.pool_k - 1)),
            complete.eq((win.y != layer.pooled_rows)
                        & ((at.y > bottom) | ((at.y == bottom) & (at.x >= right)))),
        ]

        source, there = Signal(group_layout(cfg)), Signal()
        taken = Signal()
        m.d.comb += [
            source.as_value().eq(select([Value.cast(i.payload) for i in self.i], row)),
            there.eq(select([i.valid for i in self.i], row)),
        ]
        for r, i in enumerate(self.i):
            m.d.comb += i.ready.eq(taken & (row == r))
        m.submodules.cells = cells = PoolBuffer(cfg)
        where = Signal(19)
        m.d.comb += [
            where.eq(group_cells + at.cells + at.x),
            self.overflow.eq(taken & pooling & (where >= cfg.pool_groups)),
            cells.layer.eq(layer), cells.put.eq(taken & pooling), cells.place.eq(where),
            cells.i.eq(source), cells.group_cells.eq(group_cells), cells.cells.eq(win.cells),
            cells.left.eq(win.left), cells.top.eq(win.top),
        ]

        o, double = self.o, layer.store_slots == 2
        x = Mux(pooling, win.x, at.x)
        lines = Signal(32)
        m.d.comb += [
            lines.eq(Mux(pooling, win.lines, at.lines)),
            o.p.place.eq(group_lines + lines + Mux(double, x << 1, x)),
            o.p.left.eq(Mux(pooling, layer.pooled_cols, layer.line_pixels) - x),
            o.p.fresh.eq(~emitted | (x == 0)),
            o.p["values"].eq(Mux(pooling, cells.o, source)),
        ]
        if cfg.naive:           # a whole group, or what is left of the kernels
            m.d.comb += o.p.channels.eq(Mux(last_group, layer.kernels - 1, cfg.group - 1))
        with m.If(o.valid & o.ready):
            m.d.sync += emitted.eq(~o.p.mark)

        def next_pixel():
            m.d.sync += [row.eq(row + 1), at.x.eq(at.x + 1)]
            with m.If(at.x == layer.line_pixels - 1):
                cells_after = at.cells + layer.line_pixels
                m.d.sync += [at.x.eq(0), at.y.eq(at.y + 1), at.lines.eq(
                    at.lines + layer.store_row_lines),
                    at.cells.eq(Mux(cells_after == layer.pool_cells, 0, cells_after))]
            m.next = "PIXEL"
            with m.If(last_row):
                m.next = "MARK"

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                with m.If(self.start):
                    m.d.sync += [at.as_value().eq(0), tile_at.as_value().eq(0), row.eq(0),
                                 tile.eq(0), kernel.eq(0), group_lines.eq(0), group_cells.eq(0),
                                 emitted.eq(0)]
                    for each in (win, tile_win):
                        m.d.sync += [each.as_value().eq(0), each.left.eq(-layer.pool_pad),
                                     each.top.eq(-layer.pool_pad), each.cells.eq(layer.pool_first)]
                    m.next = "PIXEL"
            with m.State("PIXEL"):
                m.d.comb += [o.valid.eq(there & ~pooling), taken.eq(there & (pooling | o.ready))]
                with m.If(taken & pooling & complete):
                    m.d.comb += cells.begin.eq(1)
                    m.next = "WALK"
                with m.Elif(taken):
                    next_pixel()
            with m.State("WALK"), m.If(~cells.reading):
                m.next = "EMIT"
                with m.If(layer.pool == 2):
                    m.next = "DIVIDE"
            with m.State("DIVIDE"):
                m.d.comb += cells.divide.eq(1)
                with m.If(cells.divided):
                    m.next = "EMIT"
            with m.State("EMIT"):
                m.d.comb += [o.valid.eq(1), cells.done.eq(o.ready)]
                with m.If(o.ready):
                    m.d.sync += [win.x.eq(win.x + 1), win.left.eq(win.left + layer.pool_stride)]
                    with m.If(win.x == layer.pooled_cols - 1):
                        after = win.cells + layer.pool_step
                        m.d.sync += [
                            win.x.eq(0), win.left.eq(-layer.pool_pad), win.y.eq(win.y + 1),
                            win.top.eq(win.top + layer.pool_stride),
                            win.lines.eq(win.lines + layer.store_row_lines),
                            win.cells.eq(Mux(after >= layer.pool_cells, after - layer.pool_cells,
                                             after))]
                    m.next = "CHECK"
            with m.State("CHECK"):
                with m.If(complete):
                    m.d.comb += cells.begin.eq(1)
                    m.next = "WALK"
                with m.Else():
                    next_pixel()
            with m.State("MARK"):
                m.d.comb += [o.valid.eq(1), o.p.mark.eq(1)]
                with m.If(o.ready):
                    m.d.sync += [row.eq(0), kernel.eq(kernel + cfg.group),
                                 group_lines.eq(group_lines + layer.store_group_lines),
                                 group_cells.eq(group_cells + layer.pool_cells)]
                    m.next = "PIXEL"
                    with m.If(last_group):
                        m.d.sync += [kernel.eq(0), group_lines.eq(0), group_cells.eq(0),
                                     tile.eq(tile + 1), tile_at.eq(at), tile_win.eq(win)]
                        with m.If(last_tile):
                            m.next = "IDLE"
                    with m.Else():
                        m.d.sync += [at.eq(tile_at), win.eq(tile_win)]
        return m
