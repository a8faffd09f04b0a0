# Ref: Yang et al., "S2 Engine", sections 4.1 and 4.5, Fig. 9: multiplication and accumulation.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import pair_layout


class MAC(wiring.Component):
    """Multiplies and accumulates one pair per enabled cycle.

    Nothing moves in other cycles: multiplier and adder have ``ratio`` cycles of ``clk``. An entry
    of WF-FIFO is taken in an enabled cycle and added in the next one. 16-bit values come as halves,
    whose products are shifted by 8 per high half. Sums wrap at ``acc_bits``. With the last entry of
    a kernel added, the sum is given to RF in the same cycle; without room there, both stages wait.

    Parameters
    ----------
    cfg : S2Config

    Members
    -------
    enable : In(1)
        High in every ``ratio``-th cycle.
    i : In(stream.Signature(pair_layout(cfg)))
    sum : Out(signed(cfg.acc_bits))
    done : Out(1)
        ``sum`` is complete and goes to RF in this cycle.
    room : In(1)
        RF can take a sum.
    stuck : Out(1)
        A sum is complete but for its last product, and there is no room.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "enable": In(1),
            "i": In(stream.Signature(pair_layout(cfg))),
            "sum": Out(signed(cfg.acc_bits)),
            "done": Out(1),
            "room": In(1),
            "stuck": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        entry, held = Signal(pair_layout(cfg)), Signal()
        product, total = Signal(signed(2 * cfg.operand_bits)), Signal(signed(cfg.acc_bits))
        shifted, add = product, Signal()
        if cfg.mixed:
            shifted = Signal(signed(2 * cfg.operand_bits + 16))
            m.d.comb += shifted.eq(Mux(entry.highs[1], product << 16,
                                       Mux(entry.highs[0], product << 8, product)))
        m.d.comb += [
            product.eq(entry.w * entry.f),
            self.sum.eq(total + shifted),
            self.stuck.eq(held & entry.last & ~self.room),
            add.eq(self.enable & held & ~self.stuck),
            self.done.eq(add & entry.last),
            self.i.ready.eq(self.enable & (~held | add)),
        ]
        with m.If(self.i.ready):
            m.d.sync += held.eq(self.i.valid)
            with m.If(self.i.valid):
                m.d.sync += entry.eq(self.i.payload)
        with m.If(add):
            m.d.sync += total.eq(Mux(entry.last, 0, self.sum))
        return m
