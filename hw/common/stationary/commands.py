# Ref: Yang et al., "S2 Engine", section 4.4, Fig. 8: which CE takes a group from where.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared
from hw.common.stream.fifo import FIFO

from .layouts import Source, command_layout

# What the commands of a pass follow from; fields of the descriptor.
COMMAND_FIELDS = {
    "tiles": 16,            # of pixels
    "tile_pixels": 16,      # of the tiles, but for the first `tile_more`, which have one more
    "tile_more": 16,
    "line_pixels": 16,      # of an output line
    "kernel_tiles": 16,
    "channel_groups": 16,
    "kernel_rows": 8,
    "kernel_cols": 8,
    "stride": 8,
    "ce": 1,                # 0: every group comes from FB
}


def command_fields():
    """The layout of COMMAND_FIELDS."""
    return data.StructLayout(COMMAND_FIELDS)


def row_layout():
    """A row's part in a pixel tile: it has no pixel, or the first or the last one of its chain."""
    return data.StructLayout({"empty": 1, "first": 1, "last": 1})


class Commander(wiring.Component):
    """The commands of one CE: for each pixel tile, kernel tile, channel group and kernel row, the
    kernel columns by residue. One command per cycle, without a gap from tile to tile.

    Members
    -------
    layer : In(command_fields())
        Constant during a pass.
    tile : In(stream.Signature(row_layout()))
        One per pixel tile; up to two wait.
    o : Out(stream.Signature(command_layout()))
    """

    def __init__(self):
        super().__init__({
            "layer": In(command_fields()),
            "tile": In(stream.Signature(row_layout())),
            "o": Out(stream.Signature(command_layout())),
        })

    def elaborate(self, platform):
        m = Module()
        layer, command = self.layer, self.o.p
        m.submodules.tiles = tiles = FIFO(row_layout(), 2)
        wiring.connect(m, wiring.flipped(self.tile), tiles.i)
        row = tiles.o.p
        column, residue = Signal(8), Signal(8)
        kernel_row, channel_group, kernel_tile = Signal(8), Signal(16), Signal(16)
        begins, ends, after = Signal(), Signal(), Signal(9)     # of a residue's columns
        m.d.comb += [
            after.eq(column + layer.stride),
            begins.eq(column == residue), ends.eq(after >= layer.kernel_cols),
            command.source.eq(Mux(row.empty, Source.EMPTY, Mux(
                begins | row.last | ~layer.ce, Source.FB, Source.CHAIN))),
            command.keep.eq(layer.ce & ~row.empty & ~row.first & ~ends),
            self.o.valid.eq(tiles.o.valid),
        ]
        take = self.o.valid & self.o.ready
        with m.If(take):
            m.d.sync += column.eq(after)
        more = take & ends
        next_residue = Signal(9)
        m.d.comb += next_residue.eq(residue + 1)
        last = (next_residue == layer.stride) | (next_residue == layer.kernel_cols)
        with m.If(more):
            m.d.sync += [residue.eq(Mux(last, 0, next_residue)),
                         column.eq(Mux(last, 0, next_residue))]
        more = more & last
        for counter, count in ((kernel_row, layer.kernel_rows),
                               (channel_group, layer.channel_groups),
                               (kernel_tile, layer.kernel_tiles)):
            full = counter == count - 1
            with m.If(more):
                m.d.sync += counter.eq(Mux(full, 0, counter + 1))
            more = more & full
        m.d.comb += tiles.o.ready.eq(more)
        return m


class Commands(wiring.Component):
    """The commands of all CEs. Rows get their part in a tile one after the other, one per cycle.

    With ``start`` in cycle s the first command of row i is offered from s + 2 + i on. The part of
    row i in the n-th tile comes after that of the row before it (row 0: after the last one of tile
    n - 1), and when fewer than two wait in row i at the start of the cycle.

    Parameters
    ----------
    cfg : StationaryConfig

    Members
    -------
    layer : In(command_fields())
        Constant during a pass.
    start : In(1)
        A pulse; not during a pass.
    o : Out(stream.Signature(command_layout())).array(rows)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "layer": In(command_fields()),
            "start": In(1),
            "o": Out(stream.Signature(command_layout())).array(cfg.rows),
        })

    def elaborate(self, platform):
        m = Module()
        rows, layer = self.cfg.rows, self.layer
        busy, row, tile, x = Signal(), Signal(range(rows)), Signal(16), Signal(16)
        pixels, part, sent = Signal(17), Signal(row_layout()), Signal()
        m.d.comb += [
            pixels.eq(layer.tile_pixels + (tile < layer.tile_more)),
            part.empty.eq(row >= pixels),
            part.first.eq((row == 0) | (x == 0)),
            part.last.eq((row == pixels - 1) | (x == layer.line_pixels - 1)),
        ]
        for r in range(rows):
            m.submodules[f"commander_{r}"] = commander = Shared(Commander)
            wiring.connect(m, commander.o, wiring.flipped(self.o[r]))
            m.d.comb += [commander.layer.eq(layer), commander.tile.payload.eq(part),
                         commander.tile.valid.eq(busy & (row == r))]
            with m.If(row == r):
                m.d.comb += sent.eq(busy & commander.tile.ready)
        with m.If(sent):
            with m.If(~part.empty):
                m.d.sync += x.eq(Mux(x == layer.line_pixels - 1, 0, x + 1))
            m.d.sync += row.eq(row + 1)
            with m.If(row == rows - 1):
                m.d.sync += [row.eq(0), tile.eq(tile + 1), busy.eq(tile != layer.tiles - 1)]
        with m.If(self.start):
            m.d.sync += [busy.eq(1), row.eq(0), tile.eq(0), x.eq(0)]
        return m
