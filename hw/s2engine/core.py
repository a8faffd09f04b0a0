# Ref: Yang et al., "S2 Engine", Fig. 4: CE array and PE array.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .array import PEArray
from .ce import CEArray, command_layout
from .layouts import Cause, feature_layout, result_layout, weight_layout


class Core(wiring.Component):
    """The CE array in front of the PE array, and the enable of the MACs: all that a pass computes.

    Parameters
    ----------
    cfg : S2Config

    Members
    -------
    run : In(1)
        High from a pass's first cycle to its end. MACs are enabled in that cycle and in every
        ``ratio``-th after it.
    command, fb : In, by row
        What the CEs do, and their features.
    w : In, by column
        Weights.
    r : Out, by row
        Sums: per kernel tile one of each column, column 0 first.
    causes : Out
        Of each `Cause`, how many PEs were in it two cycles before.
    reads : Out(range(rows + 1))
        Groups whose first token came from FB in the cycle before.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        features = stream.Signature(feature_layout(cfg))
        super().__init__({
            "run": In(1),
            "command": In(stream.Signature(command_layout())).array(cfg.rows),
            "fb": In(features).array(cfg.rows),
            "w": In(stream.Signature(weight_layout(cfg))).array(cfg.cols),
            "r": Out(stream.Signature(result_layout(cfg))).array(cfg.rows),
            "causes": Out(data.ArrayLayout(range(cfg.pes + 1), len(Cause))),
            "reads": Out(range(cfg.rows + 1)),
        })

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
