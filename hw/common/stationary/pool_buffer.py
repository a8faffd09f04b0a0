# Pooling windows under way. Ours: the paper leaves the way out open.
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.divider import AverageDivider
from hw.common.shared import Shared

from .edge import group_layout
from .layouts import descriptor_layout


class PoolBuffer(wiring.Component):
    """The outputs that windows under way need, in rings of lines, and the window being read.

    With ``begin`` in cycle b cells are read in b + 1 … b + ``pool_k²`` (``reading``); a maximum or
    sum is at ``o`` from b + ``pool_k²`` + 2 on, an average ``data_bits + 2`` cycles after
    ``divide`` went up (``divided`` in the cycle before). Cells outside the plane are left out.

    Parameters
    ----------
    cfg : StationaryConfig

    Members
    -------
    layer : In(descriptor_layout(cfg))
    put, place, i : In
        A group for a place.
    begin : In(1)
    group_cells, cells, left, top : In
        Of the window, held until it is done: where its channel group begins, its first line; the
        output column and line of its first cell.
    reading : Out(1)
    divide, done : In(1)
        ``done``: the average was taken.
    divided : Out(1)
    o : Out(group_layout(cfg))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "layer": In(descriptor_layout(cfg)),
            "put": In(1),
            "place": In(19),
            "i": In(group_layout(cfg)),
            "begin": In(1),
            "group_cells": In(17),
            "cells": In(16),
            "left": In(signed(17)),
            "top": In(signed(17)),
            "reading": Out(1),
            "divide": In(1),
            "done": In(1),
            "divided": Out(1),
            "o": Out(group_layout(cfg)),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, layer = self.cfg, self.layer
        m.submodules.memory = memory = Memory(shape=group_layout(cfg), depth=cfg.pool_groups,
                                              init=[])
        write, read = memory.write_port(), memory.read_port()
        column, line, last = Signal(8), Signal(8), Signal()
        x, y, row, after = Signal(signed(18)), Signal(signed(18)), Signal(16), Signal(17)
        inside, seen, first = Signal(), Signal(), Signal()
        m.d.comb += [
            write.en.eq(self.put), write.addr.eq(self.place), write.data.eq(self.i),
            x.eq(self.left + column), y.eq(self.top + line), after.eq(row + layer.line_pixels),
            inside.eq((x >= 0) & (x < layer.line_pixels) & (y >= 0) & (y < layer.out_rows)),
            last.eq(column == layer.pool_k - 1),
            read.en.eq(self.reading), read.addr.eq(self.group_cells + row + x),
        ]
        with m.If(self.begin):
            m.d.sync += [self.reading.eq(1), column.eq(0), line.eq(0), row.eq(self.cells),
                         first.eq(1)]
        with m.Elif(self.reading):
            m.d.sync += column.eq(column + 1)
            with m.If(last):
                m.d.sync += [column.eq(0), line.eq(line + 1),
                             row.eq(Mux(after == layer.pool_cells, 0, after)),
                             self.reading.eq(line != layer.pool_k - 1)]
        m.d.sync += seen.eq(self.reading & inside)      # the cell is at the memory's output
        with m.If(seen):
            m.d.sync += first.eq(0)
        average = layer.pool == 2
        for n in range(cfg.group):
            value, total = read.data[n], Signal(signed(cfg.data_bits + 16), name=f"total_{n}")
            known = total[:cfg.data_bits].as_signed()
            with m.If(self.begin):
                m.d.sync += total.eq(0)
            with m.Elif(seen):
                m.d.sync += total.eq(Mux(average, total + value,
                                         Mux(first | (value > known), value, known)))
            m.submodules[f"divider_{n}"] = divider = Shared(AverageDivider, cfg.data_bits)
            m.d.comb += [divider.i.eq(total), divider.area.eq(layer.pool_area),
                         divider.start.eq(self.divide), divider.take.eq(self.done & average),
                         self.o[n].eq(Mux(average, divider.o, known))]
            if n == 0:
                m.d.comb += self.divided.eq(divider.ready)
        return m
