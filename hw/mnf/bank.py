# Ref: Yu et al., "Multiply-and-Fire", Section 5: local SRAM for events. Ours: rows of fixed size.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .layouts import pixel_layout


def stored_layout(cfg):
    """A pixel in a bank: its row is known from where it lies."""
    return data.StructLayout({"value": signed(cfg.data_bits), "channel": cfg.channel_bits,
                              "x": cfg.coord_bits})


class Bank(wiring.Component):
    """A port's event RAM: two sides, one to be written and one to be read.

    A side holds ``row_events`` pixels of every row of a map, in order of arrival, and how many a
    row has. A pixel whose row is full, and every one without ``keep``, leaves by ``spill``.

    Throughput: a pixel per cycle. A pixel taken in cycle t is in the RAM, or offered at ``spill``,
    in t + 1.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    side : In(1)
        The one that is written. It turns, and ``keep`` and ``row_events`` change, while ``idle``.
    keep, row_events : In
    rows : In
        Rows that the map has.
    clear, clear_row : In(1), In
        Nothing is in this row of the side to be written; while ``idle``.
    i : In(stream.Signature(pixel_layout(cfg)))
    spill : Out(stream.Signature(pixel_layout(cfg)))
    bad : Out(1)
        The pixel that was taken in the cycle before lies beyond ``rows``; it is dropped.
    idle : Out(1)
    row, count : In, Out
        How many pixels a row of the other side has: in the next cycle.
    read, address, word : In(1), In, Out
        A word of the other side: in the next cycle.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        address, count = range(cfg.storage_events), range(cfg.storage_events + 1)
        pixel = stream.Signature(pixel_layout(cfg))
        super().__init__({
            "side": In(1), "keep": In(1), "row_events": In(count), "rows": In(cfg.coord_bits + 1),
            "clear": In(1), "clear_row": In(cfg.coord_bits), "i": In(pixel), "spill": Out(pixel),
            "bad": Out(1), "idle": Out(1), "row": In(cfg.coord_bits), "count": Out(count),
            "read": In(1), "address": In(address), "word": Out(stored_layout(cfg))})

    def elaborate(self, platform):
        m = Module()
        cfg, pixel = self.cfg, Signal(pixel_layout(self.cfg))
        full, leave, fits, real = Signal(), Signal(), Signal(), Signal()
        take, base = Signal(), Signal(range(cfg.storage_events))
        found, count = Signal.like(self.count), Signal.like(self.count)
        last, last_row, last_count = Signal(), Signal(cfg.coord_bits), Signal.like(self.count)
        put, mine = Signal(), Signal(2)
        m.d.comb += [
            self.i.ready.eq(~full | leave), take.eq(self.i.valid & self.i.ready),
            # A row written in the cycle of its reading, or before, is known here.
            count.eq(Mux(last & (last_row == pixel.y), last_count, found)),
            real.eq(pixel.y < self.rows), self.bad.eq(full & ~real),
            fits.eq(self.keep & (count < self.row_events)), put.eq(full & real & fits),
            self.spill.valid.eq(full & real & ~fits), self.spill.payload.eq(pixel),
            leave.eq(~real | fits | self.spill.ready), self.idle.eq(~full),
            mine.eq(Mux(self.side, 0b10, 0b01)),
        ]
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid)
        with m.If(take):
            m.d.sync += [pixel.eq(self.i.payload), base.eq(self.i.p.y * self.row_events)]
        with m.If(self.clear):
            m.d.sync += last.eq(0)
        with m.Elif(put):
            m.d.sync += [last.eq(1), last_row.eq(pixel.y), last_count.eq(count + 1)]
        for side in range(2):
            self._counts(m, side, mine[side], take, put, pixel.y, found, count)
            self._events(m, side, mine[side], put, base + count, pixel)
        return m

    def _counts(self, m, side, mine, take, put, row, found, count):
        memory = Memory(shape=self.count.shape(), depth=1 << self.cfg.coord_bits, init=[])
        m.submodules[f"counts_{side}"] = memory
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            read.addr.eq(Mux(mine, self.i.p.y, self.row)), read.en.eq(take | ~mine),
            write.addr.eq(Mux(self.clear, self.clear_row, row)),
            write.data.eq(Mux(self.clear, 0, count + 1)), write.en.eq(mine & (self.clear | put)),
        ]
        with m.If(mine):
            m.d.comb += found.eq(read.data)
        with m.Else():
            m.d.comb += self.count.eq(read.data)

    def _events(self, m, side, mine, put, address, pixel):
        memory = Memory(shape=stored_layout(self.cfg), depth=self.cfg.storage_events, init=[])
        m.submodules[f"events_{side}"] = memory
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.addr.eq(address), write.en.eq(mine & put), read.addr.eq(self.address),
            read.en.eq(~mine & self.read),
            *(write.data[name].eq(pixel[name]) for name in stored_layout(self.cfg).members)]
        with m.If(~mine):
            m.d.comb += self.word.eq(read.data)
