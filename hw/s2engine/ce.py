# Ref: Yang et al., "S2 Engine", section 4.4, Fig. 8: collective elements.
from functools import cached_property
from itertools import pairwise

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree
from hw.common.shared import Shared
from hw.common.stationary.layouts import Source, command_layout, feature_layout
from hw.common.stream.fifo import FIFO


class CE(wiring.Component):
    """Collective element: feeds a row of PEs, and lends a group to the row above.

    A token moves in a cycle if its source has one, the row takes it and, with ``keep``, there is
    room for its copy (judged at the start of the cycle). One token per cycle, no register between.

    Parameters
    ----------
    cfg : S2Config

    Members
    -------
    command : In(stream.Signature(command_layout()))
        One per group, taken with the group's last token.
    fb, chain_i : In(stream.Signature(feature_layout(cfg)))
    o : Out(stream.Signature(feature_layout(cfg)))
        To the row of PEs.
    chain_o : Out(stream.Signature(feature_layout(cfg)))
        What it holds; ``hold_depth`` tokens, a dense group.
    reads : Out(1)
        The first token of a group comes from FB in this cycle.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        features = stream.Signature(feature_layout(cfg))
        super().__init__({
            "command": In(stream.Signature(command_layout())),
            "fb": In(features),
            "chain_i": In(features),
            "o": Out(features),
            "chain_o": Out(features),
            "reads": Out(1),
        })

    @cached_property
    def hold(self):
        """What it holds for the row above. Made at first use, so that proofs see it."""
        return FIFO(feature_layout(self.cfg), self.cfg.hold_depth)

    def elaborate(self, platform):
        m = Module()
        m.submodules.hold = hold = self.hold
        wiring.connect(m, hold.o, wiring.flipped(self.chain_o))
        token, there = self.o.p, Signal()
        go, move, begins = Signal(), Signal(), Signal(init=1)
        keep = self.command.p.keep
        with m.Switch(self.command.p.source):
            for source, way in ((Source.FB, self.fb), (Source.CHAIN, self.chain_i)):
                with m.Case(source):
                    m.d.comb += [token.eq(way.payload), there.eq(way.valid),
                                 way.ready.eq(go & self.o.ready)]
            with m.Default():
                m.d.comb += [token.eog.eq(1), there.eq(1)]
        m.d.comb += [
            go.eq(self.command.valid & (~keep | hold.i.ready)),
            self.o.valid.eq(go & there),
            move.eq(self.o.valid & self.o.ready),
            hold.i.valid.eq(move & keep), hold.i.payload.eq(token),
            self.command.ready.eq(move & token.eog),
            self.reads.eq(move & begins & (self.command.p.source == Source.FB)),
        ]
        with m.If(move):
            m.d.sync += begins.eq(token.eog)
        return m


class CEArray(wiring.Component):
    """A CE per row; each may take what the one below held a period before.

    Parameters
    ----------
    cfg : S2Config

    Members
    -------
    command, fb, o : by row, as in `CE`
    reads : Out(range(rows + 1))
        Groups whose first token came from FB in the cycle before.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        features = stream.Signature(feature_layout(cfg))
        super().__init__({
            "command": In(stream.Signature(command_layout())).array(cfg.rows),
            "fb": In(features).array(cfg.rows),
            "o": Out(features).array(cfg.rows),
            "reads": Out(range(cfg.rows + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        ces = [Shared(CE, self.cfg) for _ in range(self.cfg.rows)]
        for r, ce in enumerate(ces):
            m.submodules[f"ce_{r}"] = ce
            wiring.connect(m, wiring.flipped(self.command[r]), ce.command)
            wiring.connect(m, wiring.flipped(self.fb[r]), ce.fb)
            wiring.connect(m, ce.o, wiring.flipped(self.o[r]))
        for above, below in pairwise(ces):
            wiring.connect(m, below.chain_o, above.chain_i)
        m.d.sync += self.reads.eq(adder_tree([ce.reads for ce in ces], m=m, name="reading"))
        return m
