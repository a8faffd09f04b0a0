# From memory onto the network: registers, biases, weights of a pass (README, *Memory image*).
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .fields import flits_per_line, payload_bits
from .layouts import flit_layout, flit_line_layout
from .mesh import section_nodes


class Feeder(wiring.Component):
    """Sends the flits of a line to the ports in whose sections they have a PE.

    A line is taken when all these ports are free, or give their last flit in this cycle; each then
    offers a flit per cycle from the next one on, with the destinations of its own section.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    i : In(stream.Signature(flit_line_layout(cfg)))
    o : Out(stream.Signature(flit_layout(cfg))).array(ports)
    idle : Out(1)
        No flit is inside.
    wrong, stray : Out(1)
        The line that is taken in this cycle has no flits or too many; has a destination that is no
        PE, or none. It goes nowhere.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(flit_line_layout(cfg))),
            "o": Out(stream.Signature(flit_layout(cfg))).array(cfg.ports),
            "idle": Out(1), "wrong": Out(1), "stray": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg, line, most = self.cfg, self.i.p, flits_per_line(self.cfg)
        free, wanted, busy = Signal(cfg.ports), Signal(cfg.ports), Signal(cfg.ports)
        bad, stray, take = Signal(), Signal(), Signal()
        m.d.comb += [
            bad.eq((line.count == 0) | (line.count > most)),
            stray.eq(~line.dest.any() | line.dest[0]),
            take.eq(self.i.valid & self.i.ready & ~bad & ~stray),
            self.i.ready.eq((~wanted | free).all()), self.idle.eq(~busy.any()),
            self.wrong.eq(self.i.valid & bad), self.stray.eq(self.i.valid & ~bad & stray),
        ]
        for n, o in enumerate(self.o):
            dest = Signal(cfg.nodes, name=f"dest_{n}")
            held = Signal(data.ArrayLayout(payload_bits(cfg), most), name=f"payloads_{n}")
            left = Signal(range(most + 1), name=f"left_{n}")
            m.d.comb += [
                dest.eq(line.dest & section_nodes(cfg, n)), wanted[n].eq(dest.any()),
                busy[n].eq(left.any()), free[n].eq(~left.any() | ((left == 1) & o.ready)),
                o.valid.eq(left.any()), o.p.payload.eq(held[0])]
            with m.If(take & wanted[n]):
                m.d.sync += [left.eq(line.count), held.eq(line.payloads), o.p.dest.eq(dest),
                             o.p.kind.eq(line.kind)]
            with m.Elif(o.valid & o.ready):
                m.d.sync += [left.eq(left - 1),
                             Value.cast(held).eq(Value.cast(held)[payload_bits(cfg):])]
        return m
