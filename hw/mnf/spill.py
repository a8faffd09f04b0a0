# What leaves the storage PE for memory. Ours: the paper keeps everything on chip.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.lines import line_layout
from hw.common.stream.arbiter import Arbiter

from .fields import CRC_BITS, line_bits, pixels_per_line
from .layouts import pixel_layout, pixel_line_layout


class Spill(wiring.Component):
    """Packs the pixels of all ports into the lines of one region, ports in turn.

    A full line waits for the next pixel, or for ``flush``, to know whether it is the last one. The
    region begins with its first line.

    Throughput: a pixel per cycle, and a cycle for each line.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    i : In(stream.Signature(pixel_layout(cfg))).array(ports)
    flush : In(1)
        No pixel will come any more; held until ``done``.
    always : In(1)
        There is a last line even if nothing else was written.
    restart : In(1)
        The next region begins; while ``done``.
    o : Out(stream.Signature(line_layout(line_bits − 32)))
    opens : Out(1), open : In(1)
        There is a line; its region was commanded, so that it may go.
    written : In(1)
        The region is in memory.
    done : Out(1)
        The region is in memory, or there will be none. High after reset.
    lines : Out(32)
        Lines of this region.
    pixel : Out(1)
        A pixel was taken in this cycle.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(pixel_layout(cfg))).array(cfg.ports),
            "flush": In(1), "always": In(1), "restart": In(1),
            "o": Out(stream.Signature(line_layout(line_bits(cfg) - CRC_BITS))),
            "opens": Out(1), "open": In(1), "written": In(1), "done": Out(1, init=1),
            "lines": Out(32), "pixel": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg, most = self.cfg, pixels_per_line(self.cfg)
        m.submodules.arbiter = arbiter = Arbiter(pixel_layout(cfg), cfg.ports)
        for n in range(cfg.ports):
            wiring.connect(m, wiring.flipped(self.i[n]), arbiter.i[n])
        line, ended, taken = Signal(pixel_line_layout(cfg)), Signal(), Signal()
        final, full = Signal(), Signal()
        m.d.comb += [
            full.eq(line.count == most),
            final.eq(self.flush & ~self.done & ~arbiter.o.valid & ~ended
                     & (line.count.any() | (self.always & ~self.lines.any()))),
            self.opens.eq(final | (full & arbiter.o.valid)),
            self.o.valid.eq(self.opens & self.open), taken.eq(self.o.valid & self.o.ready),
            self.o.p.content.eq(Cat(final, Value.cast(line)[1:])), self.o.p.last.eq(final),
            arbiter.o.ready.eq(~full), self.pixel.eq(arbiter.o.valid & ~full),
        ]
        with m.If(taken):
            m.d.sync += [line.eq(0), self.lines.eq(self.lines + 1), ended.eq(final)]
        with m.Elif(self.pixel):
            m.d.sync += line.count.eq(line.count + 1)
            for n in range(most):
                with m.If(line.count == n):
                    m.d.sync += line.pixels[n].eq(arbiter.o.payload)
        nothing = ~line.count.any() & ~self.always & ~self.lines.any() & ~arbiter.o.valid
        with m.If(self.restart):
            m.d.sync += [self.done.eq(0), self.lines.eq(0), ended.eq(0)]
        with m.Elif((self.flush & nothing) | self.written):
            m.d.sync += self.done.eq(1)
        return m
