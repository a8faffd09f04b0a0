"""The order in which the PPU reads a tile: channel, consumer's phase, position, pooling window."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .layouts import layer_layout, tile_layout


def step_layout(cfg):
    """One position of one pooling window."""
    return data.StructLayout({
        "valid": 1,
        "read": 1,  # inside the plane
        "stored": 1,  # a tap of the consumer touches this phase
        "first": 1,  # of the window
        "last": 1,  # of the window
        "end": 1,  # last window of the (channel, phase)
        "address": cfg.acc_addr_bits,
        "position": 16,  # in the consumer's input tile: row * next_pitch + column
        "channel": cfg.channel_bits,
        "k": data.StructLayout({"row": 8, "slot": range(cfg.biases_per_slot)}),
    })


class WindowWalk(wiring.Component):
    """Walks over a group's sums as the consumer wants them.

    ``start`` in cycle s, first step at the output in s+2, then one per cycle with ``advance``. Per
    stored (channel, phase): pooled rows × pooled columns of that phase × pool_kernel² steps,
    clipped positions included; one step per phase that is not stored. ``done`` one cycle after the
    last step left the counters.

    Members
    -------
    layer, row, col : In
    start, advance : In(1)
    kc, channel : In(16)
    done : Out(1)
    o : Out(step_layout(cfg))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "layer": In(layer_layout()),
            "row": In(tile_layout()),
            "col": In(tile_layout()),
            "start": In(1),
            "advance": In(1),
            "kc": In(16),
            "channel": In(16),
            "done": Out(1),
            "o": Out(step_layout(cfg)),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, lay = self.cfg, self.layer
        busy = Signal()
        k, channel = Signal(16), Signal(16)
        bias = Signal(step_layout(cfg)["k"].shape)
        axes = [_Axis(m, "row", lay, self.row, lay.next_phases_rows),
                _Axis(m, "col", lay, self.col, lay.next_phases_cols)]
        row, col = axes

        stored, window_last, block_last = Signal(), Signal(), Signal()
        m.d.comb += [
            stored.eq(row.stored & col.stored),
            window_last.eq(row.tap_last & col.tap_last),
            block_last.eq(~stored | (window_last & row.last & col.last)),
        ]
        step = Signal()
        m.d.comb += [step.eq(busy & self.advance), self.done.eq(~busy)]
        with m.If(self.start):
            m.d.sync += [busy.eq(self.row.pooled.any() & self.col.pooled.any() & self.kc.any()),
                         k.eq(0), bias.eq(0), channel.eq(self.channel)]
            for axis in axes:
                axis.restart(m)
        with m.Elif(step):
            self._next(m, row, col, block_last)
            with m.If(block_last & row.phase_last & col.phase_last):
                m.d.sync += [k.eq(k + 1), channel.eq(channel + lay.next_phases),
                             bias.slot.eq(bias.slot + 1)]
                with m.If(bias.slot == cfg.biases_per_slot - 1):
                    m.d.sync += [bias.slot.eq(0), bias.row.eq(bias.row + 1)]
                with m.If(k == self.kc - 1):
                    m.d.sync += busy.eq(0)

        with m.If(self.advance):
            m.d.sync += [
                self.o.valid.eq(busy),
                self.o.read.eq(row.inside & col.inside & stored),
                self.o.stored.eq(stored),
                self.o.first.eq((row.tap == 0) & (col.tap == 0)),
                self.o.last.eq(window_last),
                self.o.end.eq(block_last),
                self.o.address.eq(lay.origin + k + row.coordinate * lay.row_stride
                                  + col.coordinate * lay.kc),
                self.o.position.eq(row.position * lay.next_pitch + col.position),
                self.o.channel.eq(channel + row.phase * lay.next_phases_cols + col.phase),
                self.o.k.eq(bias),
            ]
        return m

    @staticmethod
    def _next(m, row, col, block_last):
        """Innermost first: window column and row, pooled column and row, phase column and row."""
        with m.If(block_last):
            with m.If(col.phase_last):
                col.restart(m)
                with m.If(row.phase_last):
                    row.restart(m)
                with m.Else():
                    row.next_phase(m)
            with m.Else():
                col.next_phase(m)
                row.rewind(m)
        with m.Elif(~col.tap_last):
            col.next_tap(m)
        with m.Elif(~row.tap_last):
            col.first_tap(m)
            row.next_tap(m)
        with m.Elif(~col.last):
            row.first_tap(m)
            col.next(m)
        with m.Else():
            col.rewind(m)
            row.next(m)


class _Axis:
    """Counters along rows or columns: phase, pooled coordinate, tap of the pooling window."""

    def __init__(self, m, name, lay, tile, phases):
        self.lay, self.tile = lay, tile
        self.start = Signal(8, name=f"{name}_start")        # first pooled coordinate of the phase
        self.pooled = Signal(8, name=f"{name}_pooled")
        self.position = Signal(8, name=f"{name}_position")
        self.tap = Signal(8, name=f"{name}_tap")
        self.phase = Signal(8, name=f"{name}_phase")
        self.coordinate = Signal(17, name=f"{name}_coordinate")
        self.inside = Signal(name=f"{name}_inside")
        self.stored = Signal(name=f"{name}_stored")
        self.last, self.tap_last = Signal(name=f"{name}_last"), Signal(name=f"{name}_tap_last")
        self.phase_last = Signal(name=f"{name}_phase_last")
        self.wrapped = Signal(name=f"{name}_wrapped")
        total, at = Signal(9, name=f"{name}_total"), Signal(signed(18), name=f"{name}_at")
        m.d.comb += [
            total.eq(tile.phase + self.start),
            self.wrapped.eq(total >= lay.next_stride),
            self.phase.eq(Mux(self.wrapped, total - lay.next_stride, total)),
            self.stored.eq(self.phase < phases),
            at.eq(self.pooled * lay.pool_stride + self.tap - tile.pool_pad),
            self.inside.eq((at >= 0) & (at < tile.limit)),
            self.coordinate.eq(at),
            self.tap_last.eq(self.tap == lay.pool_kernel - 1),
            self.last.eq(self.pooled + lay.next_stride >= tile.pooled),
            self.phase_last.eq((self.start == lay.next_stride - 1)
                               | (self.start == tile.pooled - 1)),
        ]

    def first_tap(self, m):
        m.d.sync += self.tap.eq(0)

    def next_tap(self, m):
        m.d.sync += self.tap.eq(self.tap + 1)

    def next(self, m):
        m.d.sync += [self.tap.eq(0), self.pooled.eq(self.pooled + self.lay.next_stride),
                     self.position.eq(self.position + 1)]

    def _begin(self, m, start):
        m.d.sync += [self.tap.eq(0), self.start.eq(start), self.pooled.eq(start),
                     self.position.eq(self.tile.phase + start >= self.lay.next_stride)]

    def rewind(self, m):
        self._begin(m, self.start)

    def restart(self, m):
        self._begin(m, 0)

    def next_phase(self, m):
        self._begin(m, self.start + 1)
