# What becomes of the outputs. Ours: the paper leaves the way out open; hw/s2engine/README.md,
# "Edges".
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import command_layout
from hw.common.axi.shell import BEATS_BITS

from .edge import group_layout
from .encoder import Encoder, tokens_layout
from .layouts import descriptor_layout
from .pool import Pool


class Store(wiring.Component):
    """Pools the outputs of a pass, compresses them to ECOO and says where in memory they go.

    Groups that follow each other on an output line are one region, commanded with its first one
    for the rest of that line. A group waits for the one behind it, or for the mark, to know
    whether it is its region's last.

    Parameters
    ----------
    cfg : StationaryConfig

    Members
    -------
    layer : In(descriptor_layout(cfg))
        Constant during a pass.
    start : In(1)
    i : In(stream.Signature(group_layout(cfg))).array(rows)
    command : Out(stream.Signature(command_layout(...)))
    line : Out(stream.Signature(tokens_layout(cfg)))
        ``last`` with the last line of a region.
    written : In(1)
        A region is in memory.
    done : Out(1)
        All of the pass is in memory. High between passes.
    overflow : Out(1)
        Windows under way do not fit the pool's buffer.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "layer": In(descriptor_layout(cfg)),
            "start": In(1),
            "i": In(stream.Signature(group_layout(cfg))).array(cfg.rows),
            "command": Out(stream.Signature(command_layout(cfg.addr_bits, BEATS_BITS))),
            "line": Out(stream.Signature(tokens_layout(cfg))),
            "written": In(1),
            "done": Out(1),
            "overflow": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, layer, command = self.cfg, self.layer, self.command
        m.submodules.pool = pool = Pool(cfg)
        m.submodules.encoder = encoder = Encoder(cfg)
        for inside, outside in zip(pool.i, self.i, strict=True):
            wiring.connect(m, wiring.flipped(outside), inside)
        wiring.connect(m, encoder.o, wiring.flipped(self.line))
        double = layer.store_slots == 2
        if cfg.naive:
            channels = Signal.like(pool.o.p.channels)
            m.d.comb += encoder.i.p.channels.eq(channels)
            with m.If(pool.o.valid & pool.o.ready):
                m.d.sync += channels.eq(pool.o.p.channels)
        m.d.comb += [pool.layer.eq(layer), pool.start.eq(self.start),
                     self.overflow.eq(pool.overflow), encoder.double.eq(double)]

        held, group = Signal(), Signal(group_layout(cfg))       # waits for what comes behind it
        goes, free = Signal(), Signal()
        new = pool.o.p
        m.d.comb += [
            goes.eq(pool.o.valid & (new.mark | ~new.fresh | ~command.valid)),
            free.eq(~held | encoder.i.ready),
            pool.o.ready.eq(free & (new.mark | ~new.fresh | ~command.valid)),
            encoder.i.valid.eq(held & goes), encoder.i.p["values"].eq(group),
            encoder.i.p.last.eq(new.mark | new.fresh),
        ]
        regions, opens = Signal(16), Signal()
        m.d.comb += opens.eq(goes & free & new.fresh & ~new.mark)
        m.d.sync += regions.eq(regions + opens - self.written)
        with m.If(command.ready):
            m.d.sync += command.valid.eq(0)
        with m.If(goes & free):
            m.d.sync += [held.eq(~new.mark), group.eq(new["values"])]
        with m.If(opens):
            lines = Mux(double, new.left << 1, new.left)
            m.d.sync += [command.valid.eq(1), command.p.beats.eq(lines * cfg.line_beats),
                         command.p.address.eq(layer.store_addr + new.place * (cfg.line_bits // 8))]
        m.d.comb += self.done.eq(pool.idle & (regions == 0))
        return m
