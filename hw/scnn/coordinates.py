"""Output coordinates: where in the accumulators a product belongs.

Ref: Parashar et al., "SCNN", ISCA 2017, Section IV, Fig. 6: coordinate computation. All of it is
one adder per product, because the runs of weights and activations are decoded into linear offsets
before (README, "Geometry of a layer").
"""
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


def bank_of(cfg, address):
    """The accumulator bank of ``address``: its lowest bits, XOR-folded with the next ones.

    Neighbouring positions of one output channel lie a power of two apart more often than not; the
    fold spreads them over the banks.
    """
    address = Value.cast(address)
    return (address ^ (address >> cfg.bank_bits))[:cfg.bank_bits]


def entry_of(cfg, address):
    """The entry of ``address`` within its bank."""
    return Value.cast(address)[cfg.bank_bits:]


class Coordinates(wiring.Component):
    """Adds every weight's offset to every activation's address; combinational.

    Sums wrap at ``acc_addr_bits``. Those of addresses inside the window of a valid layer never do.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    offsets : In(ArrayLayout(acc_addr_bits, F))
    addresses : In(ArrayLayout(acc_addr_bits, I))
    products : Out(ArrayLayout(acc_addr_bits, F * I))
        Lane ``f * I + i`` is ``offsets[f] + addresses[i]``.
    """
    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "offsets": In(data.ArrayLayout(cfg.acc_addr_bits, cfg.mults_f)),
            "addresses": In(data.ArrayLayout(cfg.acc_addr_bits, cfg.mults_i)),
            "products": Out(data.ArrayLayout(cfg.acc_addr_bits, cfg.lanes)),
        })

    def elaborate(self, platform):
        m = Module()
        for f in range(self.cfg.mults_f):
            for i in range(self.cfg.mults_i):
                m.d.comb += self.products[f * self.cfg.mults_i + i].eq(
                    self.offsets[f] + self.addresses[i])
        return m
