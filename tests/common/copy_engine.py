"""The smallest engine that a shell can hold: copies beats, or misbehaves as told."""
from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring

from hw.common.axi.shell import engine_members

COUNTERS = ("beats", "cycles_busy")
DESCRIPTOR = data.StructLayout({
    "source": 32, "target": 32, "beats": 16, "room": 16, "code": 8, "hang": 1, "pad": 23,
    "crc": 32})
DETAIL = 0x5a


class CopyEngine(wiring.Component):
    """Copies ``beats`` beats into a region of ``room`` beats; then fails if ``code`` is not 0.

    It takes its descriptor in the cycle in which the region's write is done; never if ``hang``.
    """
    def __init__(self, data_bits=128):
        super().__init__(engine_members(DESCRIPTOR, 32, data_bits, len(COUNTERS)))

    def elaborate(self, platform):
        m = Module()
        d, asked_read, asked_write = self.descriptor, Signal(), Signal()
        m.d.comb += [
            self.read_command.valid.eq(d.valid & ~asked_read & ~d.p.hang),
            self.read_command.p.address.eq(d.p.source),
            self.read_command.p.beats.eq(d.p.beats),
            self.write_command.valid.eq(d.valid & ~asked_write & ~d.p.hang),
            self.write_command.p.address.eq(d.p.target),
            self.write_command.p.beats.eq(d.p.room),
            self.error.valid.eq(d.valid & (d.p.code != 0) & self.write_done),
            self.error.code.eq(d.p.code),
            self.error.info.eq(DETAIL),
            d.ready.eq(self.write_done),
        ]
        wiring.connect(m, wiring.flipped(self.read_data), wiring.flipped(self.write_data))
        with m.If(self.read_command.valid & self.read_command.ready):
            m.d.sync += asked_read.eq(1)
        with m.If(self.write_command.valid & self.write_command.ready):
            m.d.sync += asked_write.eq(1)
        with m.If(self.write_done):
            m.d.sync += [asked_read.eq(0), asked_write.eq(0)]
        with m.If(self.counting):
            m.d.sync += self.counts[1].eq(self.counts[1] + 1)
        with m.If(self.read_data.valid & self.read_data.ready):
            m.d.sync += self.counts[0].eq(self.counts[0] + 1)
        with m.If(self.clear):
            m.d.sync += Cat(self.counts).eq(0)
        return m
