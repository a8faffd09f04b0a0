# Ref: Yang et al., "S2 Engine", Fig. 4: CE array and PE array.
from amaranth import *
from amaranth.lib import wiring

from hw.common.stationary.layouts import core_members

from .array import PEArray
from .ce import CEArray


class Core(wiring.Component):
    """The CE array in front of the PE array, and the enable of the MACs: all that a pass computes.

    Parameters
    ----------
    cfg : S2Config

    Members
    -------
    As `core_members` says. MACs are enabled in the first cycle of ``run`` and in every ``ratio``-th
    after it.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__(core_members(cfg))

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.ces = ces = CEArray(cfg)
        m.submodules.array = array = PEArray(cfg)
        for r in range(cfg.rows):
            wiring.connect(m, wiring.flipped(self.command[r]), ces.command[r])
            wiring.connect(m, wiring.flipped(self.fb[r]), ces.fb[r])
            wiring.connect(m, ces.o[r], array.f[r])
            wiring.connect(m, array.r[r], wiring.flipped(self.r[r]))
        for c in range(cfg.cols):
            wiring.connect(m, wiring.flipped(self.w[c]), array.w[c])
        phase = Signal(range(cfg.ratio))
        m.d.sync += phase.eq(Mux(~self.run | (phase == cfg.ratio - 1), 0, phase + 1))
        m.d.comb += [
            array.mac_enable.eq(self.run & (phase == 0)),
            self.causes.eq(array.causes), self.reads.eq(ces.reads),
        ]
        return m
