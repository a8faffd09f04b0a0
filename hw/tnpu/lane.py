"""The lane step: what a column's words become on their way from the buffers to the PEs.

Ref: Li et al., "TNPU", ASP-DAC 2019, Fig. 3: pooling layers, to which the paper gives no hardware.
"""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .instruction import ADDRESS, Init, Op, Opcode

MINUS_ZERO = 0x8000_0000
INDEX = 16      # bits of an element's number in its pooling window


def is_nan(number):
    """Of binary32's bits."""
    return number[23:31].all() & number[:23].any()


def greater(a, b):
    """a > b of binary32's bits; false if one is NaN, or both are zeros."""
    larger = Mux(a[-1], Mux(b[-1], a[:-1] < b[:-1], 0), Mux(b[-1], 1, a[:-1] > b[:-1]))
    return larger & ~is_nan(a) & ~is_nan(b) & (a[:-1] | b[:-1]).any()


class Lane(wiring.Component):
    """From the words of X, W and S that are read now to the registers ``b`` and ``entry``.

    One step per cycle; ``b`` and ``entry`` hold the result in the next one.

    Parameters
    ----------
    none

    Members
    -------
    opcode, op : In(4), In(3)
    x, w, s : In(32)
        This lane's.
    valid, w_zero, init, group, first, index : In
        As in `issue_layout`, in the cycle of the words.
    b, entry : Out(32)
        The PEs' column operand; the sum that enters the column.
    """

    def __init__(self):
        super().__init__({
            "opcode": In(4), "op": In(3), "x": In(32), "w": In(32), "s": In(32), "valid": In(1),
            "w_zero": In(1), "init": In(2), "group": In(ADDRESS), "first": In(1), "index": In(1),
            "b": Out(32), "entry": Out(32)})

    def elaborate(self, platform):
        m = Module()
        w, s = Signal(32), Signal(32)
        b, entry = Signal(32), Signal(32)
        m.d.comb += [w.eq(Mux(self.w_zero, 0, self.w)), b.eq(w), entry.eq(s)]
        with m.Switch(self.init):
            with m.Case(Init.KEEP):
                m.d.comb += s.eq(self.s)
            with m.Case(Init.WORD):
                m.d.comb += s.eq(Mux(self.s == MINUS_ZERO, 0, self.s))
        with m.If(self.opcode == Opcode.VECTOR):
            with m.Switch(self.op):
                with m.Case(Op.SWAP):
                    m.d.comb += [entry.eq(w), b.eq(s)]
                with m.Case(Op.MASK):
                    m.d.comb += entry.eq(Mux(greater(w, Const(0, 32)), s, 0))
                with m.Case(Op.ROUTE):
                    m.d.comb += b.eq(Mux(self.x == self.group, w, MINUS_ZERO))
                with m.Case(Op.CLEAR):
                    m.d.comb += entry.eq(0)
        with m.If(self.opcode == Opcode.POOL):
            m.d.comb += entry.eq(self._pool(m, w))
        m.d.sync += [self.b.eq(b), self.entry.eq(entry)]
        return m

    def _pool(self, m, w):
        """The largest of the window so far, ``w`` included, or with ``index`` its number."""
        best, best_index, number = Signal(32), Signal(INDEX), Signal(INDEX)
        best_now, now = Signal(32), Signal(INDEX)
        better = Signal()
        m.d.comb += [
            now.eq(Mux(self.first, 0, number)),
            better.eq(self.first | greater(w, best)),
            best_now.eq(Mux(better, w, best)),
        ]
        with m.If(self.valid & ~self.index):
            m.d.sync += [number.eq(now + 1), best.eq(best_now)]
            with m.If(better):
                m.d.sync += best_index.eq(now)
        return Mux(self.index, best_index, best_now)
