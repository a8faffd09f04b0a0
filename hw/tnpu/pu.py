"""PU-c and PU-f: the grid of PEs, what feeds it and what takes its sums.

Ref: Li et al., "TNPU", ASP-DAC 2019, Section 3.3, Fig. 6.
"""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree
from hw.common.shared import Shared

from .delay import delayed
from .instruction import ADDRESS, Init, Op, Opcode, Operand
from .lane import Lane, is_nan
from .layouts import X, Y, issue_layout, row_layout, setting_layout
from .row import Row

ONE = 0x3F80_0000


def _bits(count):
    """Address bits for so many."""
    return (count - 1).bit_length()


def sums_signature(cfg):
    """A word on its way to S."""
    return wiring.Signature({"en": Out(1), "addr": Out(ADDRESS), "data": Out(32).array(cfg.lanes)})


class PU(wiring.Component):
    """``rows`` rows of ``lanes`` PEs between the buffers.

    An issue of cycle t reads the buffers in t (row r's banks of X in t + r·add_latency unless the
    opcode is LOCAL or VECTOR) and its sum is at ``sums`` in t + E, E = `latency`. One issue per
    cycle. Who issues keeps two issues apart that need each other's sums: E + 1 cycles in S,
    add_latency + 1 in a slot.

    Parameters
    ----------
    cfg : TNPUConfig
    unit : "c" or "f"

    Members
    -------
    setting : In(setting_layout())
        Holds from an instruction's first read until its last sum is out.
    issue : In(issue_layout(cfg, unit))
    x_addr, w_addr, s_addr : Out(16), the first .array(lanes)
        Read in this cycle.
    x_data, w_data, s_data : In(32).array(lanes)
        What was read in the cycle before.
    sums : Out(sums_signature(cfg))
    nans : Out(range(lanes + 1))
        NaNs in the word at ``sums``; 0 without ``en``.
    """

    def __init__(self, cfg, unit):
        self.cfg = cfg
        self.unit = unit
        self.rows = cfg.rows(unit)
        word = In(32).array(cfg.lanes)
        super().__init__({
            "setting": In(setting_layout()), "issue": In(issue_layout(cfg, unit)),
            "x_addr": Out(ADDRESS).array(cfg.lanes), "x_data": word,
            "w_addr": Out(ADDRESS), "w_data": word, "s_addr": Out(ADDRESS), "s_data": word,
            "sums": Out(sums_signature(cfg)), "nans": Out(range(cfg.lanes + 1))})

    @property
    def latency(self):
        """E: cycles from an issue to its sum."""
        return 2 + self.cfg.mul_latency + self.rows * self.cfg.add_latency

    def elaborate(self, platform):
        m = Module()
        issue, setting = self.issue, self.setting
        is_local, is_vector = (setting.opcode == code for code in (Opcode.LOCAL, Opcode.VECTOR))
        at_once = Signal()                      # no skew
        m.d.comb += [at_once.eq(is_local | is_vector),
                     self.w_addr.eq(issue.w), self.s_addr.eq(issue.s)]
        b, entry = self._lanes(m)
        first = self._step(m, is_local, is_vector)
        rows = [Shared(Row, self.cfg) for _ in range(self.rows)]
        route = Signal()                # X is read lane by lane, whatever the operand
        m.d.comb += route.eq(is_vector & (setting.op == Op.ROUTE))
        x_data = self._row_operands(m, rows, at_once, route)
        for r, row in enumerate(rows):
            m.submodules[f"row_{r}"] = row
            above = rows[r - 1] if r else None
            m.d.comb += [
                row.skewed.eq(above.passed if above else first),
                row.direct.eq(first), row.is_direct.eq(at_once), row.take.eq(issue.take[r]),
                row.use_x.eq(~at_once | (setting.operand != Operand.IMM) & ~route),
                row.imm.eq(Mux(route, ONE, setting.imm)), row.x_data.eq(x_data[r]),
            ]
            if r:       # only LOCAL works in all rows at once
                with m.If(is_vector):
                    m.d.comb += row.direct.ctrl.y.eq(Y.NOTHING)
            for c in range(self.cfg.lanes):
                m.d.comb += [row.b[c].eq(b[c]),
                             row.p_in[c].eq(above.o[c] if above else entry[c])]
        self._write_back(m, rows[-1])
        return m

    def _step(self, m, is_local, is_vector):
        """What the issue means to a row, and to row 0 first."""
        issue, setting = self.issue, self.setting
        step = Signal(row_layout(self.cfg))
        ctrl = step.ctrl
        m.d.comb += [step.x.eq(issue.x), step.zero.eq(issue.x_zero), step.row.eq(issue.row),
                     ctrl.slot.eq(issue.slot), ctrl.y.eq(Y.NOTHING)]
        with m.If(issue.valid):
            with m.Switch(setting.opcode):
                with m.Case(Opcode.STREAM):
                    m.d.comb += [ctrl.y.eq(Y.PRODUCT), ctrl.stationary.eq(1),
                                 ctrl.swap.eq(issue.swap)]
                with m.Case(Opcode.LOCAL):
                    m.d.comb += [ctrl.x.eq(Mux(issue.init == Init.ZERO, X.ZERO, X.SLOT)),
                                 ctrl.y.eq(Y.PRODUCT), ctrl.write.eq(1)]
                with m.Case(Opcode.DRAIN):
                    m.d.comb += ctrl.y.eq(Y.SLOT)
                with m.Case(Opcode.VECTOR):
                    with m.If((setting.op != Op.MASK) & (setting.op != Op.CLEAR)):
                        m.d.comb += ctrl.y.eq(Y.PRODUCT)
        return step

    def _row_operands(self, m, rows, at_once, route):
        """What each row reads of X. Bank l is row l mod R's: no two rows meet in one."""
        issue, count, units = self.issue, self.rows, self.cfg.x_units(self.unit)
        by_value, one = Signal(), Signal(32)            # one value for all rows
        if count > 1:       # a single row's values are its units
            m.d.comb += [by_value.eq(at_once & (self.setting.operand == Operand.VALUE) & ~route),
                         one.eq(self._part(m, self.x_data, issue.x, "lane"))]
        operands = []
        for r, row in enumerate(rows):
            unit, word = Signal(ADDRESS, name=f"x_unit_{r}"), Signal(ADDRESS, name=f"x_word_{r}")
            m.d.comb += [unit.eq(Mux(at_once, issue.x, row.skewed.x)),
                         word.eq(Mux(by_value, issue.x >> _bits(self.cfg.lanes),
                                     unit >> _bits(units)))]
            m.d.comb += [addr.eq(word) for addr in self.x_addr[r::count]]
            operands.append(Mux(by_value, one,
                                self._part(m, self.x_data[r::count], unit, f"part_{r}")))
        return operands

    def _part(self, m, values, address, name):
        """Of the values of a word, a power of two, the one that ``address``' lowest bits chose."""
        if len(values) == 1:
            return values[0]
        part = Signal(range(len(values)), name=name)
        m.d.sync += part.eq(address)
        return Array(values)[part]

    def _lanes(self, m):
        """The words ``b`` and ``entry``, the latter mul_latency later: as it enters the adders."""
        now = Signal(issue_layout(self.cfg, self.unit))      # of the words that are there now
        m.d.sync += now.eq(self.issue)
        b, entry = [], []
        for c in range(self.cfg.lanes):
            m.submodules[f"lane_{c}"] = lane = Shared(Lane)
            m.d.comb += [lane.opcode.eq(self.setting.opcode), lane.op.eq(self.setting.op),
                         lane.x.eq(self.x_data[c]), lane.w.eq(self.w_data[c]),
                         lane.s.eq(self.s_data[c])]
            for name in ("valid", "w_zero", "init", "group", "first", "index"):
                m.d.comb += getattr(lane, name).eq(getattr(now, name))
            b.append(lane.b)
            entry.append(delayed(m, lane.entry, self.cfg.mul_latency, f"entry_{c}"))
        return b, entry

    def _write_back(self, m, last):
        """The sums that leave the last row, with the address that their issue gave them."""
        issue, depth = self.issue, self.latency - 1
        m.submodules.addresses = addresses = Memory(shape=ADDRESS, depth=depth, init=[])
        write, read = addresses.write_port(), addresses.read_port()
        at = Signal(range(depth))
        m.d.sync += at.eq(Mux(at == depth - 1, 0, at + 1))
        # What is read is what was written a round before: with the port's cycle, E cycles ago.
        m.d.comb += [write.addr.eq(at), write.en.eq(1), write.data.eq(issue.to),
                     read.addr.eq(at), read.en.eq(1)]
        en, relu = Signal(self.latency), Signal(self.latency)
        m.d.sync += [en.eq(Cat(issue.valid & issue.write, en)), relu.eq(Cat(issue.relu, relu))]
        m.d.comb += [self.sums.en.eq(en[-1]), self.sums.addr.eq(read.data)]
        for c in range(self.cfg.lanes):
            m.d.comb += self.sums.data[c].eq(Mux(relu[-1] & last.o[c][-1], 0, last.o[c]))
        nans = [is_nan(total) & en[-1] for total in last.o]
        m.d.comb += self.nans.eq(adder_tree(nans, m=m, name="nans"))


class PUc(PU):
    """The square unit of the convolutional layers; see `PU`."""

    def __init__(self, cfg):
        super().__init__(cfg, "c")


class PUf(PU):
    """The row of the fully connected layers; see `PU`."""

    def __init__(self, cfg):
        super().__init__(cfg, "f")
