# Ref: Yang et al., "S2 Engine", Fig. 4: a row of the PE array.
from itertools import pairwise

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree
from hw.common.shared import Shared
from hw.common.stationary.layouts import Cause, feature_layout, result_layout, weight_layout

from .pe import PE


class PERow(wiring.Component):
    """``cols`` PEs that share one feature flow: the module of which an array is made.

    Its results leave at the east end: kernel by kernel one of each column, column 0 first.

    Parameters
    ----------
    cfg : S2Config

    Members
    -------
    mac_enable : In(1)
    w_i, w_o : In, Out, by column
        Weights from the row above and to the one below.
    f_i : In(stream.Signature(feature_layout(cfg)))
    r_o : Out(stream.Signature(result_layout(cfg)))
        ``tail`` with the result of the last column.
    causes : Out
        Of each `Cause`, how many PEs were in it in the cycle before.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        weights = stream.Signature(weight_layout(cfg))
        super().__init__({
            "mac_enable": In(1),
            "w_i": In(weights).array(cfg.cols),
            "w_o": Out(weights).array(cfg.cols),
            "f_i": In(stream.Signature(feature_layout(cfg))),
            "r_o": Out(stream.Signature(result_layout(cfg))),
            "causes": Out(data.ArrayLayout(range(cfg.cols + 1), len(Cause))),
        })

    def elaborate(self, platform):
        m = Module()
        pes = [Shared(PE, self.cfg) for _ in range(self.cfg.cols)]
        for c, pe in enumerate(pes):
            m.submodules[f"pe_{c}"] = pe
            m.d.comb += [pe.mac_enable.eq(self.mac_enable), pe.first.eq(c == 0)]
            wiring.connect(m, wiring.flipped(self.w_i[c]), pe.w_i)
            wiring.connect(m, pe.w_o, wiring.flipped(self.w_o[c]))
        for west, east in pairwise(pes):
            wiring.connect(m, west.f_o, east.f_i)
            wiring.connect(m, west.r_o, east.r_i)
        wiring.connect(m, wiring.flipped(self.f_i), pes[0].f_i)
        wiring.connect(m, pes[-1].r_o, wiring.flipped(self.r_o))
        m.d.comb += pes[-1].f_o.ready.eq(1)
        for cause in Cause:
            count = adder_tree([pe.cause == cause for pe in pes], m=m, name=cause.name.lower())
            m.d.sync += self.causes[cause.value].eq(count)
        return m
