"""The processing element: one multiplier, one adder, local sums.

Ref: Li et al., "TNPU", ASP-DAC 2019, Section 3.3, Fig. 6: three inputs (control, two operands), two
outputs (to the buffers, to the neighbour), here the same wires.
"""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared

from .delay import delayed
from .fp32 import BINARY32, Adder, Multiplier
from .layouts import X, Y, ctrl_layout


class PE(wiring.Component):
    """Multiplies, adds the product to the neighbour's sum or to a local one, and passes it on.

    One product and one sum per cycle. With operands and ``ctrl`` in cycle t, the adder sees the
    product, ``p_in`` of that cycle and the local sum in t + mul_latency, and its result is at ``o``
    and is written to its slot in t + mul_latency + add_latency. A slot that is written in cycle u
    can be read at the adder in u + 1. Slots keep their words over a reset, and sums under way go on
    to ``o``, which matters to nobody.

    Parameters
    ----------
    cfg : TNPUConfig
    fmt : Format
        Of all numbers; smaller ones than binary32 are for tests.

    Members
    -------
    ctrl : In(ctrl_layout(cfg))
        ``x`` and ``y`` both SLOT read the same sum twice.
    a, b, p_in : In(fmt.bits)
    o : Out(fmt.bits)
    """

    def __init__(self, cfg, fmt=BINARY32):
        self.cfg = cfg
        self.fmt = fmt
        super().__init__({"ctrl": In(ctrl_layout(cfg)), "a": In(fmt.bits), "b": In(fmt.bits),
                          "p_in": In(fmt.bits), "o": Out(fmt.bits)})

    def elaborate(self, platform):
        m = Module()
        cfg, ctrl = self.cfg, self.ctrl
        m.submodules.multiplier = multiplier = Shared(Multiplier, cfg.mul_latency, self.fmt)
        m.submodules.adder = adder = Shared(Adder, cfg.add_latency, self.fmt)
        weight, weight_next, new_weight = (
            Signal.like(self.b, name=name, reset_less=True)
            for name in ("weight", "weight_next", "new_weight"))
        m.d.comb += [
            new_weight.eq(Mux(ctrl.swap, weight_next, weight)),
            multiplier.a.eq(self.a),
            multiplier.b.eq(Mux(ctrl.stationary, new_weight, self.b)),
        ]
        m.d.sync += weight.eq(new_weight)
        with m.If(ctrl.take):
            m.d.sync += weight_next.eq(self.b)
        local = self._slots(m, adder.o)
        x = delayed(m, ctrl.x, cfg.mul_latency, "x")
        y = delayed(m, ctrl.y, cfg.mul_latency, "y")
        with m.Switch(x):
            with m.Case(X.P_IN):
                m.d.comb += adder.a.eq(self.p_in)
            with m.Case(X.SLOT):
                m.d.comb += adder.a.eq(local)
        with m.Switch(y):
            with m.Case(Y.PRODUCT):
                m.d.comb += adder.b.eq(multiplier.o)
            with m.Case(Y.SLOT):
                m.d.comb += adder.b.eq(local)
            with m.Default():
                m.d.comb += adder.b.eq(1 << (self.fmt.bits - 1))    # -0.0
        m.d.comb += self.o.eq(adder.o)
        return m

    def _slots(self, m, total):
        """The local sums: one is read for the adder, one takes ``total``."""
        cfg, ctrl = self.cfg, self.ctrl
        m.submodules.slots = slots = Memory(shape=self.fmt.bits, depth=cfg.slots, init=[])
        write = slots.write_port()
        read = slots.read_port(transparent_for=(write,))
        early = delayed(m, ctrl.slot, cfg.mul_latency - 1, "slot")
        m.d.comb += [
            read.addr.eq(early), read.en.eq(1),
            write.addr.eq(delayed(m, early, cfg.add_latency + 1, "slot_written")),
            write.data.eq(total),
            write.en.eq(delayed(m, ctrl.write, cfg.mul_latency + cfg.add_latency, "write",
                                reset_less=False)),
        ]
        return read.data
