# Ref: Yu et al., "Multiply-and-Fire", Sections 5.1 and 5.2.1: network, router interface.
from enum import IntEnum

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.stream.arbiter import Arbiter
from hw.common.stream.fifo import FIFO

from .layouts import flit_layout, result_layout


class Branch(IntEnum):
    """Where an event router sends, and where a result router takes from."""
    EAST = 0
    SOUTH = 1
    CORE = 2


class EventRouter(wiring.Component):
    """A node of the multicast trees, on which events leave the storage PE.

    The head of its FIFO goes to every branch that has a node of `dest` behind it, to each when that
    branch is ready, with the destinations of that branch alone; with the last copy it leaves. A
    destination behind no branch is lost and reported.

    Throughput: one flit per cycle. Latency: one cycle.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    behind : In(nodes).array(3)
        Constants: the nodes behind each `Branch`.
    i : In(stream.Signature(flit_layout(cfg)))
    o : Out(stream.Signature(flit_layout(cfg))).array(3)
    stray : Out(1)
        A flit that leaves in this cycle had a destination that is not behind any branch.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        flit = stream.Signature(flit_layout(cfg))
        super().__init__({
            "behind": In(cfg.nodes).array(len(Branch)),
            "i": In(flit),
            "o": Out(flit).array(len(Branch)),
            "stray": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = FIFO(flit_layout(self.cfg), self.cfg.link_fifo)
        wiring.connect(m, wiring.flipped(self.i), fifo.i)
        head, done = fifo.o, Signal(len(Branch))
        after = Signal(len(Branch))         # branches that have it by the end of this cycle
        for n, o in enumerate(self.o):
            dest = Signal(self.cfg.nodes, name=f"dest_{n}")
            m.d.comb += [
                dest.eq(head.p.dest & self.behind[n]),
                o.payload.eq(head.payload), o.p.dest.eq(dest),
                o.valid.eq(head.valid & dest.any() & ~done[n]),
                after[n].eq(done[n] | ~dest.any() | o.ready),
            ]
        known = self.behind[0] | self.behind[1] | self.behind[2]
        lost = ~head.p.dest.any() | (head.p.dest & ~known).any()
        m.d.comb += [head.ready.eq(after.all()),
                     self.stray.eq(head.valid & head.ready & lost)]
        with m.If(head.valid):
            m.d.sync += done.eq(Mux(head.ready, 0, after))
        return m


class ResultRouter(wiring.Component):
    """A node of the trees on which fired events reach the storage PE: merges, round robin.

    Throughput: one word per cycle in all. Latency: one cycle, and the others' turns.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    i : In(stream.Signature(result_layout(cfg))).array(3)
        By `Branch`, a FIFO each.
    o : Out(stream.Signature(result_layout(cfg)))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        result = stream.Signature(result_layout(cfg))
        super().__init__({"i": In(result).array(len(Branch)), "o": Out(result)})

    def elaborate(self, platform):
        m = Module()
        layout = result_layout(self.cfg)
        m.submodules.arbiter = arbiter = Arbiter(layout, len(Branch))
        for n, i in enumerate(self.i):
            m.submodules[f"fifo_{n}"] = fifo = FIFO(layout, self.cfg.link_fifo)
            wiring.connect(m, wiring.flipped(i), fifo.i)
            wiring.connect(m, fifo.o, arbiter.i[n])
        wiring.connect(m, arbiter.o, wiring.flipped(self.o))
        return m
