"""A unit: a PU and its buffers.

Ref: Li et al., "TNPU", ASP-DAC 2019, Section 3.1, Fig. 4.
"""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .buffers import SBuffer, WBuffer, XBuffer
from .instruction import Buffer, Init, Op, Opcode, Operand
from .layouts import fetch_layout, fill_layout, issue_layout, setting_layout
from .pu import PUc, PUf


class Unit(wiring.Component):
    """PUc or PUf between X, W and S, which DMA fills, and S, which it fetches.

    Parameters
    ----------
    cfg : TNPUConfig
    unit : "c" or "f"

    Members
    -------
    setting : In(setting_layout()), issue : In(issue_layout(cfg, unit))
        As `PU`.
    bank : In(1)
        The instruction's bank of S; holds as long as ``setting``.
    fill : In(fill_layout(cfg))
        DMA writes a word: in cycle t, read from t + 1 on.
    fetch : In(fetch_layout()), fetched : Out(memory_bits)
        DMA reads a word of S: its value in the next cycle.
    nans : Out(range(lanes + 1))
        NaNs written to S by the PU in this cycle.
    range_error : Out(1)
        An address of this cycle that is needed lies beyond its buffer.
    bank_error : Out(1)
        PU and DMA use the same bank of S in this cycle.
    """

    def __init__(self, cfg, unit):
        self.cfg, self.unit = cfg, unit
        super().__init__({
            "setting": In(setting_layout()), "issue": In(issue_layout(cfg, unit)), "bank": In(1),
            "fill": In(fill_layout(cfg)), "fetch": In(fetch_layout()),
            "fetched": Out(cfg.memory_bits), "nans": Out(range(cfg.lanes + 1)),
            "range_error": Out(1), "bank_error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg, unit = self.cfg, self.unit
        m.submodules.pu = pu = (PUc if unit == "c" else PUf)(cfg)
        m.submodules.x = x = XBuffer(cfg, unit)
        m.submodules.w = w = WBuffer(cfg, unit)
        m.submodules.s = s = SBuffer(cfg, unit)
        uses = self._uses(m)
        m.d.comb += [
            pu.setting.eq(self.setting), pu.issue.eq(self.issue), self.nans.eq(pu.nans),
            w.addr.eq(pu.w_addr), w.transpose.eq(self.setting.transpose),
            s.addr.eq(pu.s_addr), s.bank.eq(self.bank), s.reads.eq(uses["s"]),
            s.write.en.eq(pu.sums.en), s.write.addr.eq(pu.sums.addr),
            s.fetch.eq(self.fetch), self.fetched.eq(s.fetched), self.bank_error.eq(s.conflict),
        ]
        for lane in range(cfg.lanes):
            m.d.comb += [
                x.addr[lane].eq(pu.x_addr[lane]), pu.x_data[lane].eq(x.data[lane]),
                pu.w_data[lane].eq(w.data[lane]), pu.s_data[lane].eq(s.data[lane]),
                s.write.data[lane].eq(pu.sums.data[lane]),
            ]
        for buffer, write in ((Buffer.X, x.write), (Buffer.W, w.write), (Buffer.S0, s.fill[0]),
                              (Buffer.S1, s.fill[1])):
            m.d.comb += [write.en.eq(self.fill.valid & (self.fill.buffer == buffer)),
                         write.addr.eq(self.fill.word), write.data.eq(self.fill.data)]
        self._judge(m, uses)
        return m

    def _uses(self, m):
        """Which buffers' words this cycle's issue needs."""
        issue, opcode, op = self.issue, self.setting.opcode, self.setting.op
        uses = {name: Signal(name=f"uses_{name}") for name in "xws"}
        of_x = self.setting.operand != Operand.IMM
        with m.If(issue.valid):
            with m.Switch(opcode):
                with m.Case(Opcode.STREAM):
                    m.d.comb += [uses["x"].eq(1), uses["s"].eq(1)]
                with m.Case(Opcode.LOCAL):
                    m.d.comb += [uses["x"].eq(of_x), uses["w"].eq(1)]
                with m.Case(Opcode.DRAIN):
                    m.d.comb += uses["s"].eq(1)
                with m.Case(Opcode.VECTOR):
                    m.d.comb += [
                        uses["x"].eq((op == Op.ROUTE) | of_x
                                     & ((op == Op.AXPY) | (op == Op.SWAP))),
                        uses["w"].eq(op != Op.CLEAR), uses["s"].eq(op != Op.CLEAR)]
                with m.Case(Opcode.POOL):
                    m.d.comb += uses["w"].eq(~issue.index)
            with m.If(issue.x_zero):
                m.d.comb += uses["x"].eq(0)
            with m.If(issue.w_zero):
                m.d.comb += uses["w"].eq(0)
            with m.If(issue.init == Init.ZERO):
                m.d.comb += uses["s"].eq(0)
        with m.If(issue.take.any()):
            m.d.comb += uses["w"].eq(1)
        return uses

    def _judge(self, m, uses):
        """Addresses against the buffers' sizes; X's is that of a value for each row, or of one."""
        issue, fill, fetch = self.issue, self.fill, self.fetch
        words = dict(zip("xws", self.cfg.words(self.unit), strict=True))
        units = words["x"] * self.cfg.x_units(self.unit)
        opcode, by_value = self.setting.opcode, Signal()
        m.d.comb += by_value.eq((self.setting.operand == Operand.VALUE)
                                & ((opcode == Opcode.LOCAL) | (opcode == Opcode.VECTOR)
                                   & (self.setting.op != Op.ROUTE)))
        beyond = [
            uses["x"] & (issue.x >= Mux(by_value, words["x"] * self.cfg.lanes, units)),
            uses["w"] & (issue.w >= words["w"]),
            uses["s"] & (issue.s >= words["s"]),
            issue.valid & issue.write & (issue.to >= words["s"]),
            fetch.valid & (fetch.word >= words["s"]),
        ]
        for buffer, size in ((Buffer.X, words["x"]), (Buffer.W, words["w"]),
                             (Buffer.S0, words["s"]), (Buffer.S1, words["s"])):
            beyond.append(fill.valid & (fill.buffer == buffer) & (fill.word >= size))
        m.d.comb += self.range_error.eq(Cat(beyond).any())
