"""A row of PEs: one operand, one control, all columns.

Ref: Li et al., "TNPU", ASP-DAC 2019, Section 3.3, Fig. 6: row-sharing distribution.
"""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared

from .layouts import Y, row_layout
from .pe import PE


class Row(wiring.Component):
    """``lanes`` PEs with the same ``a`` and control; the next row does the same add_latency later.

    A step that is at ``skewed`` (or ``direct``) in cycle t has its ``x_data`` in t + 1 and is at
    the PEs in t + 2, together with ``b``; ``p_in`` belongs to the step of mul_latency before.

    Parameters
    ----------
    cfg : TNPUConfig

    Members
    -------
    skewed, direct : In(row_layout(cfg))
        Two sources of steps, and ``is_direct`` chooses; a step whose ``y`` is SLOT reads it only
        where ``row`` is 0.
    passed : Out(row_layout(cfg))
        ``skewed`` of add_latency cycles before, ``row`` one less: the next row's.
    is_direct, use_x : In(1)
        The latter: ``a`` is ``x_data``, else ``imm``; +0.0 if the step says ``zero``.
    take : In(1)
        The next weights are ``b`` of two cycles later.
    x_data, imm : In(32)
    b, p_in : In(32).array(lanes)
    o : Out(32).array(lanes)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "skewed": In(row_layout(cfg)), "direct": In(row_layout(cfg)),
            "passed": Out(row_layout(cfg)), "is_direct": In(1), "use_x": In(1), "take": In(1),
            "x_data": In(32), "imm": In(32), "b": In(32).array(cfg.lanes),
            "p_in": In(32).array(cfg.lanes), "o": Out(32).array(cfg.lanes),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, layout = self.cfg, row_layout(self.cfg)
        step = self.skewed
        for k in range(cfg.add_latency):
            later = Signal(layout, name=f"skewed_{k + 1}")
            m.d.sync += later.eq(step)
            step = later
        m.d.comb += [self.passed.eq(step), self.passed.row.eq(step.row - 1)]
        read, take = Signal(layout), Signal()              # X's word is there
        a, ctrl = Signal(32), Signal(layout["ctrl"].shape)
        m.d.sync += [
            read.eq(Mux(self.is_direct, self.direct, self.skewed)), take.eq(self.take),
            a.eq(Mux(read.zero, 0, Mux(self.use_x, self.x_data, self.imm))),
            ctrl.eq(read.ctrl), ctrl.take.eq(take),
        ]
        with m.If((read.ctrl.y == Y.SLOT) & read.row.any()):
            m.d.sync += ctrl.y.eq(Y.NOTHING)
        for c in range(cfg.lanes):
            m.submodules[f"pe_{c}"] = pe = Shared(PE, cfg)
            m.d.comb += [pe.ctrl.eq(ctrl), pe.a.eq(a), pe.b.eq(self.b[c]),
                         pe.p_in.eq(self.p_in[c]), self.o[c].eq(pe.o)]
        return m
