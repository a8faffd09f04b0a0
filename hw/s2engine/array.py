# Ref: Yang et al., "S2 Engine", section 4.1, Fig. 4: PE array.
from itertools import pairwise

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree
from hw.common.shared import Shared
from hw.common.stationary.layouts import Cause, feature_layout, result_layout, weight_layout

from .row import PERow


class PEArray(wiring.Component):
    """``rows`` × ``cols`` PEs, output stationary; one row is emitted, the others are instances.

    Parameters
    ----------
    cfg : S2Config

    Members
    -------
    mac_enable : In(1)
    w : In, by column
        Weights, at the northern edge.
    f : In, by row
        Features, at the western edge.
    r : Out, by row
        Sums, at the eastern edge.
    causes : Out
        Of each `Cause`, how many PEs were in it two cycles before.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "mac_enable": In(1),
            "w": In(stream.Signature(weight_layout(cfg))).array(cfg.cols),
            "f": In(stream.Signature(feature_layout(cfg))).array(cfg.rows),
            "r": Out(stream.Signature(result_layout(cfg))).array(cfg.rows),
            "causes": Out(data.ArrayLayout(range(cfg.pes + 1), len(Cause))),
        })

    def elaborate(self, platform):
        m = Module()
        rows = [Shared(PERow, self.cfg) for _ in range(self.cfg.rows)]
        for r, row in enumerate(rows):
            m.submodules[f"row_{r}"] = row
            m.d.comb += row.mac_enable.eq(self.mac_enable)
            wiring.connect(m, wiring.flipped(self.f[r]), row.f_i)
            wiring.connect(m, row.r_o, wiring.flipped(self.r[r]))
        for c in range(self.cfg.cols):
            wiring.connect(m, wiring.flipped(self.w[c]), rows[0].w_i[c])
            for north, south in pairwise(rows):
                wiring.connect(m, north.w_o[c], south.w_i[c])
            m.d.comb += rows[-1].w_o[c].ready.eq(1)
        for cause in Cause:
            count = adder_tree([row.causes[cause.value] for row in rows], m=m,
                               name=cause.name.lower())
            m.d.sync += self.causes[cause.value].eq(count)
        return m
