# Ref: Parashar et al., "SCNN", ISCA 2017, section IV: the PPU exchanges partial sums with
# neighbouring PEs for the halo regions.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .layouts import HaloOp, layer_layout, link_layout, tile_layout

DIRECTIONS = ("left", "right", "up", "down")


class Halo(wiring.Component):
    """Moves a strip of partial sums to one neighbour and adds what the opposite one sends.

    A step sends ``N = rows * segment`` sums, one per cycle, and adds as many incoming ones. A sum
    that is sent is zeroed in its place, except by the COPY steps (pooling windows that reach into
    the neighbour's tile). Sums sent over the array's edge are dropped: they lie outside the plane.

    Cycles: ``start`` in cycle s; sends in s+1 .. s+N; a sum sent in t is added in t+1. A send waits
    while an incoming sum uses its bank. ``done`` from the cycle after the last send and the
    last receive: without waits s+N+2 (s+N+1 where no neighbour sends); s+1 if N is 0.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    layer, row, col : In
        The descriptor's common part, and this PE's tile by row and column.
    border : In(4)
        Bit d: no neighbour in direction ``DIRECTIONS[d]``.
    start, op : In
        LEFT to COPY_UP; other ops are ignored.
    done : Out(1)
    i, o : arrays of four links, by ``DIRECTIONS``
        Registered where they arrive: one register for four links.
    send_enable, send_address, send_zero, send_value, conflict
        The accumulators' port that reads a sum and perhaps zeroes it.
    receive_enable, receive_address, receive_value
        The accumulators' port that adds.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        link = link_layout(cfg)
        super().__init__({
            "layer": In(layer_layout()),
            "row": In(tile_layout()),
            "col": In(tile_layout()),
            "border": In(4),
            "start": In(1),
            "op": In(HaloOp),
            "done": Out(1),
            "i": In(data.ArrayLayout(link, 4)),
            "o": Out(data.ArrayLayout(link, 4)),
            "send_enable": Out(1),
            "send_address": Out(cfg.acc_addr_bits),
            "send_zero": Out(1),
            "send_value": In(signed(cfg.acc_bits)),
            "conflict": In(1),
            "receive_enable": Out(1),
            "receive_address": Out(cfg.acc_addr_bits),
            "receive_value": Out(signed(cfg.acc_bits)),
        })

    def _strips(self):
        """Per op: direction of travel, rows, segment, first sum sent, first sum received, zero."""
        lay, row, col = self.layer, self.row, self.col
        left, origin = lay.halo_left_sums, lay.origin
        return {
            HaloOp.LEFT: (0, lay.window_rows, left, 0, col.size_sums, 1),
            HaloOp.RIGHT: (1, lay.window_rows, lay.halo_right_sums, left + col.size_sums, left, 1),
            HaloOp.UP: (2, lay.halo_up, col.size_sums, left, left + row.size_sums, 1),
            HaloOp.DOWN: (3, lay.halo_down, col.size_sums, origin + row.size_sums, origin, 1),
            HaloOp.COPY_LEFT: (0, row.size, lay.overlap_sums, origin, origin + col.size_sums, 0),
            HaloOp.COPY_UP: (2, lay.overlap_rows, col.size_sums + lay.overlap_sums, origin,
                             origin + row.size_sums, 0),
        }

    def elaborate(self, platform):
        m = Module()
        direction, zero = Signal(2), Signal()
        rows, segment, from_, to = Signal(16), Signal(16), Signal(16), Signal(16)
        upstream = Signal()          # somebody sends to this PE
        with m.Switch(self.op):
            for op, (d, n, length, first, into, zeroing) in self._strips().items():
                with m.Case(op):
                    m.d.comb += [rows.eq(n), segment.eq(length), from_.eq(first), to.eq(into),
                                 upstream.eq(~self.border[d ^ 1])]
                    with m.If(self.start):
                        m.d.sync += [direction.eq(d), zero.eq(zeroing)]

        some = Signal()
        m.d.comb += some.eq(self.start & rows.any() & segment.any())
        length = Signal(16)
        with m.If(some):
            m.d.sync += length.eq(segment)

        sending, send_step = self._walk(m, "send", some, rows, from_, length, self.send_address)
        receiving, receive_step = self._walk(m, "receive", some & upstream, rows, to, length,
                                             self.receive_address)
        incoming = Signal(link_layout(self.cfg))
        m.d.sync += incoming.eq(self.i[direction ^ 1])
        m.d.comb += [
            self.done.eq(~sending & ~receiving),
            self.receive_enable.eq(receiving & incoming.valid),
            self.receive_value.eq(incoming.value),
            receive_step.eq(self.receive_enable),
            self.send_enable.eq(sending),
            self.send_zero.eq(zero),
            send_step.eq(sending & ~self.conflict),
        ]
        for d in range(4):
            m.d.comb += [self.o[d].valid.eq(send_step & (direction == d)),
                         self.o[d].value.eq(self.send_value)]
        return m

    def _walk(self, m, name, load, rows, first, length, address):
        """A walk over `rows` segments of `length` sums, row_stride apart; returns (busy, step)."""
        busy, step = Signal(name=f"{name}_busy"), Signal(name=f"{name}_step")
        left, column = Signal(16, name=f"{name}_rows"), Signal(16, name=f"{name}_column")
        row = Signal(16, name=f"{name}_row")
        m.d.comb += address.eq(row + column)
        with m.If(load):
            m.d.sync += [busy.eq(1), left.eq(rows), column.eq(0), row.eq(first)]
        with m.Elif(step):
            m.d.sync += column.eq(column + 1)
            with m.If(column == length - 1):
                m.d.sync += [column.eq(0), row.eq(row + self.layer.row_stride), left.eq(left - 1)]
                with m.If(left == 1):
                    m.d.sync += busy.eq(0)
        return busy, step
