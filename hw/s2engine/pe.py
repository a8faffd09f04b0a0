# Ref: Yang et al., "S2 Engine", section 4.1, Fig. 4: processing element.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.stationary.layouts import Cause, feature_layout, result_layout, weight_layout

from .ds import DS
from .mac import MAC
from .rf import RF


class PE(wiring.Component):
    """Processing element: DS finds the pairs, MAC adds their products up, RF sends the sum on.

    Weights pass from north to south, features and results from west to east.

    Parameters
    ----------
    cfg : S2Config

    Members
    -------
    mac_enable : In(1)
        High in every ``ratio``-th cycle, in the same ones in all PEs.
    first : In(1)
        Constant: column 0.
    w_i, w_o : In, Out(stream.Signature(weight_layout(cfg)))
    f_i, f_o : In, Out(stream.Signature(feature_layout(cfg)))
    r_i, r_o : In, Out(stream.Signature(result_layout(cfg)))
    cause : Out(Cause)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        weights, features, results = (stream.Signature(layout(cfg)) for layout in (
            weight_layout, feature_layout, result_layout))
        super().__init__({
            "mac_enable": In(1),
            "first": In(1),
            "w_i": In(weights), "w_o": Out(weights),
            "f_i": In(features), "f_o": Out(features),
            "r_i": In(results), "r_o": Out(results),
            "cause": Out(Cause),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.ds = ds = DS(self.cfg)
        m.submodules.mac = mac = MAC(self.cfg)
        m.submodules.rf = rf = RF(self.cfg)
        for inside, outside in ((ds.w_i, self.w_i), (ds.w_o, self.w_o), (ds.f_i, self.f_i),
                                (ds.f_o, self.f_o), (rf.i, self.r_i), (rf.o, self.r_o)):
            wiring.connect(m, inside, wiring.flipped(outside))
        wiring.connect(m, ds.pair, mac.i)
        m.d.comb += [
            mac.enable.eq(self.mac_enable), mac.room.eq(rf.room),
            rf.sum.eq(mac.sum), rf.done.eq(mac.done), rf.first.eq(self.first),
        ]
        m.d.comb += self.cause.eq(Cause.BLOCKED)
        for condition, cause in ((mac.stuck, Cause.DRAIN), (~ds.f_valid, Cause.STARVED_F),
                                 (~ds.w_valid, Cause.STARVED_W), (ds.select, Cause.SELECT),
                                 (ds.multiply, Cause.MULTIPLY)):
            with m.If(condition):
                m.d.comb += self.cause.eq(cause)
        return m
