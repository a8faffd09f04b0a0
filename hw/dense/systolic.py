# Ref: Yang et al., "S2 Engine", Fig. 1: the naive systolic array.
from dataclasses import dataclass
from itertools import pairwise

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared


@dataclass(frozen=True, kw_only=True)
class SystolicConfig:
    """An array. Counts in elements, widths in bits."""

    rows: int = 16          # output pixels side by side
    cols: int = 16          # kernels side by side
    data_bits: int = 8
    acc_bits: int = 32

    def __post_init__(self):
        for name in ("rows", "cols"):
            if not 1 <= getattr(self, name) <= 128:
                raise ValueError(f"{name} must be 1 to 128, not {getattr(self, name)}")
        if not 2 <= self.data_bits <= 16:
            raise ValueError(f"data_bits must be 2 to 16, not {self.data_bits}")
        if not 2 * self.data_bits <= self.acc_bits <= 48:
            raise ValueError(f"acc_bits must be {2 * self.data_bits} to 48, not {self.acc_bits}")


def operand_layout(cfg):
    """A feature: ``last`` ends the sum."""
    return data.StructLayout({"value": signed(cfg.data_bits), "valid": 1, "last": 1})


def sum_layout(cfg):
    """A sum on its way to the right edge; ``tail``: it is the sender's own."""
    return data.StructLayout({"value": signed(cfg.acc_bits), "valid": 1, "tail": 1})


class SystolicPE(wiring.Component):
    """Multiplies what comes from the left and from above in every enabled cycle, zeros or not.

    Nothing moves in other cycles. Operands are at the outputs in the next one. A finished sum goes
    into a register of its own, and from there to the right behind those of the columns on the left,
    while the next one builds up: sums must be at least as many cycles apart as the array has
    columns.

    Parameters
    ----------
    cfg : SystolicConfig

    Members
    -------
    enable : In(1)
    first : In(1)
        Constant: column 0.
    w_i, w_o : In, Out(signed(data_bits))
    f_i, f_o : In, Out(operand_layout(cfg))
    r_i, r_o : In, Out(sum_layout(cfg))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        weight, feature, result = signed(cfg.data_bits), operand_layout(cfg), sum_layout(cfg)
        super().__init__({
            "enable": In(1),
            "first": In(1),
            "w_i": In(weight), "w_o": Out(weight),
            "f_i": In(feature), "f_o": Out(feature),
            "r_i": In(result), "r_o": Out(result),
        })

    def elaborate(self, platform):
        m = Module()
        f, width = self.f_i, signed(self.cfg.acc_bits)
        total, after, own = Signal(width), Signal(width), Signal(width)
        full, passed, goes = Signal(), Signal(), Signal()
        m.d.comb += [after.eq(total + f.value * self.w_i),
                     goes.eq(full & (passed | self.first) & ~self.r_i.valid)]
        with m.If(self.enable):
            m.d.sync += [self.w_o.eq(self.w_i), self.f_o.eq(f)]
            with m.If(goes):
                m.d.sync += [full.eq(0), passed.eq(0)]
            with m.If(f.valid):
                m.d.sync += total.eq(Mux(f.last, 0, after))
                with m.If(f.last):
                    m.d.sync += [own.eq(after), full.eq(1)]
            with m.If(self.r_i.valid):
                m.d.sync += passed.eq(self.r_i.tail)
            m.d.sync += [
                self.r_o.valid.eq(self.r_i.valid | goes), self.r_o.tail.eq(goes),
                self.r_o.value.eq(Mux(goes, own, self.r_i.value)),
            ]
        return m


class SystolicArray(wiring.Component):
    """``rows`` × ``cols`` PEs, output stationary, all of them enabled or none; cycles are those in
    which they are.

    Row i's features come i cycles after those of row 0, column j's weights j cycles after those of
    column 0. With a sum of L terms whose first operands come in cycle 0, row i's sums leave in
    cycles L + i + ``cols`` … L + i + 2 ``cols`` - 1, column 0's first.

    Parameters
    ----------
    cfg : SystolicConfig

    Members
    -------
    enable : In(1)
    w : In(signed(data_bits)).array(cols)
    f : In(operand_layout(cfg)).array(rows)
    r : Out(sum_layout(cfg)).array(rows)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "enable": In(1),
            "w": In(signed(cfg.data_bits)).array(cfg.cols),
            "f": In(operand_layout(cfg)).array(cfg.rows),
            "r": Out(sum_layout(cfg)).array(cfg.rows),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        pes = [[Shared(SystolicPE, cfg) for _ in range(cfg.cols)] for _ in range(cfg.rows)]
        for r, row in enumerate(pes):
            for c, pe in enumerate(row):
                m.submodules[f"pe_{r}_{c}"] = pe
                m.d.comb += [pe.first.eq(c == 0), pe.enable.eq(self.enable)]
            m.d.comb += [row[0].f_i.eq(self.f[r]), self.r[r].eq(row[-1].r_o)]
            for west, east in pairwise(row):
                m.d.comb += [east.f_i.eq(west.f_o), east.r_i.eq(west.r_o)]
        for c in range(cfg.cols):
            m.d.comb += pes[0][c].w_i.eq(self.w[c])
            for north, south in pairwise(pes):
                m.d.comb += south[c].w_i.eq(north[c].w_o)
        return m
