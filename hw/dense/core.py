# Ref: Yang et al., "S2 Engine", Fig. 1: the naive systolic array between its buffers and edges.
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from hw.common.stationary.layouts import Cause, Source, core_members

from .systolic import SystolicArray, SystolicConfig, operand_layout


class SystolicCore(wiring.Component):
    """The array with its skew: stands where S² Engine has its CEs and PEs.

    All rows and columns issue a term in the same cycle, when all of them have one; registers delay
    row i and column j by i and j cycles. Where a term is missing, a bubble goes through the array.
    A sum's last term waits until it is ``cols`` terms or bubbles behind the last one of the sum
    before. If an edge does not take a result, array and skew stand still until it has.

    Parameters
    ----------
    cfg : NaiveConfig

    Members
    -------
    As `core_members` says, and
    causes : Out
        All PEs share one: MULTIPLY with a term, BLOCKED while the array stands still, STARVED_W,
        STARVED_F without one, DRAIN while the last one waits. Two cycles before.
    error : Out(1)
        Rows and columns do not agree on where their groups or kernels end; of the cycle before.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({**core_members(cfg), "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.array = array = SystolicArray(SystolicConfig(
            rows=cfg.rows, cols=cfg.cols, data_bits=cfg.data_bits, acc_bits=cfg.acc_bits))
        moves, issue = Signal(), Signal()
        m.d.comb += array.enable.eq(moves)
        has_w, has_f = self._issue(m, issue, moves)
        self._skew(m, array, issue, moves)
        self._results(m, array, moves)

        cause, before = Signal(Cause), Signal(Cause)
        m.d.comb += cause.eq(Mux(~moves, Cause.BLOCKED, Mux(issue, Cause.MULTIPLY, Mux(
            ~has_w, Cause.STARVED_W, Mux(~has_f, Cause.STARVED_F, Cause.DRAIN)))))
        m.d.sync += before.eq(cause)
        for one in Cause:
            m.d.sync += self.causes[one.value].eq(Mux(before == one, cfg.pes, 0))
        return m

    def _issue(self, m, issue, moves):
        """When a term goes into the array. Returns: all columns, all rows have one."""
        cfg, first = self.cfg, self.w[0].p
        empty = [command.p.source == Source.EMPTY for command in self.command]
        has_w, has_f, may, agree = (Signal(name=n) for n in ("has_w", "has_f", "may", "agree"))
        since = Signal(range(cfg.cols + 1), init=cfg.cols)      # the last sum's last term
        m.d.comb += [
            has_w.eq(Cat(w.valid for w in self.w).all()),
            has_f.eq(Cat(command.valid & (none | fb.valid) for command, fb, none in zip(
                self.command, self.fb, empty, strict=True)).all()),
            may.eq(~first.eok | (since == cfg.cols)),
            issue.eq(moves & self.run & has_w & has_f & may),
            agree.eq(Cat(*((w.p.eog == first.eog) & (w.p.eok == first.eok) for w in self.w),
                         *(none | (fb.p.eog == first.eog) for fb, none in zip(
                             self.fb, empty, strict=True))).all()),
        ]
        m.d.sync += self.error.eq(issue & ~agree)
        with m.If(moves):
            with m.If(issue & first.eok):
                m.d.sync += since.eq(1)
            with m.Elif(since != cfg.cols):
                m.d.sync += since.eq(since + 1)
        begins = Signal(init=1)
        with m.If(issue):
            m.d.sync += begins.eq(first.eog)
        m.d.sync += self.reads.eq(0)
        with m.If(issue & begins):
            m.d.sync += self.reads.eq(sum(~none for none in empty))
        m.d.comb += [w.ready.eq(issue) for w in self.w]
        for command, fb, none in zip(self.command, self.fb, empty, strict=True):
            m.d.comb += [fb.ready.eq(issue & ~none), command.ready.eq(issue & first.eog)]
        return has_w, has_f

    def _skew(self, m, array, issue, moves):
        """Terms into the array, row i and column j by i and j registers later."""
        def late(value, cycles, name):
            for n in range(cycles):
                register = Signal.like(value, name=f"{name}_{n}")
                with m.If(moves):
                    m.d.sync += register.eq(value)
                value = register
            return value

        for j, w in enumerate(self.w):
            m.d.comb += array.w[j].eq(late(w.p.value.as_signed(), j, f"w_{j}"))
        for i, (command, fb) in enumerate(zip(self.command, self.fb, strict=True)):
            term = Signal(operand_layout(self.cfg), name=f"term_{i}")
            there = command.p.source != Source.EMPTY
            m.d.comb += [term.value.eq(Mux(there, fb.p.value, 0)), term.valid.eq(issue),
                         term.last.eq(self.w[0].p.eok)]
            m.d.comb += array.f[i].eq(late(term, i, f"f_{i}"))

    def _results(self, m, array, moves):
        """Each result leaves once; the array moves on when all of a cycle have left."""
        left = []
        for i, (inside, outside) in enumerate(zip(array.r, self.r, strict=True)):
            taken, done = Signal(name=f"taken_{i}"), Signal(name=f"done_{i}")
            m.d.comb += [
                outside.valid.eq(inside.valid & ~taken), outside.p.value.eq(inside.value),
                outside.p.tail.eq(inside.tail), done.eq(~outside.valid | outside.ready),
            ]
            m.d.sync += taken.eq(~moves & done & inside.valid)
            left.append(done)
        m.d.comb += moves.eq(Cat(left).all())
