# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: neural function unit of a PE.
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree


class PEFU(wiring.Component):
    """The neural function unit of one PE: Tn multipliers, an adder tree, an accumulator.

    Lanes offered in cycle t are products in t + 1, one sum in t + 2, accumulated from t + 3 on;
    after ``last`` the segment's sum is at ``total``, with ``done`` high, in t + 3, and the next
    segment begins with 0. One vector per cycle, never stalls. Sums wrap at ``acc_bits``.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    valid : In(tn)
        Lanes that count. No lane: nothing is added.
    neuron, synapse : In(signed(data_bits)).array(tn)
    last : In(1)
        The segment's last vector.
    total : Out(signed(acc_bits))
    done : Out(1)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        value = signed(cfg.data_bits)
        super().__init__({
            "valid": In(cfg.tn),
            "neuron": In(value).array(cfg.tn),
            "synapse": In(value).array(cfg.tn),
            "last": In(1),
            "total": Out(signed(cfg.acc_bits)),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        products = [Signal(signed(2 * cfg.data_bits), name=f"product_{n}") for n in range(cfg.tn)]
        for n, product in enumerate(products):
            m.d.sync += product.eq(Mux(self.valid[n], self.neuron[n] * self.synapse[n], 0))
        tree = adder_tree(products, m=m)
        added = Signal(tree.shape())
        last = Signal(2)
        m.d.sync += [added.eq(tree), last.eq(Cat(self.last, last)), self.done.eq(last[1]),
                     self.total.eq(Mux(self.done, 0, self.total) + added)]
        return m
