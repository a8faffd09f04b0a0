"""The F x I multipliers of a PE.

Ref: Parashar et al., "SCNN", ISCA 2017, Section IV, Fig. 6: F x I multiplier array.
"""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .coordinates import Coordinates
from .layouts import activation_layout, product_layout, weight_layout


def operands_layout(cfg):
    """What is multiplied in one cycle: F weights with each of I activations."""
    return data.StructLayout({
        "weights": data.ArrayLayout(weight_layout(cfg), cfg.mults_f),
        "activations": data.ArrayLayout(activation_layout(cfg), cfg.mults_i),
    })


def products_layout(cfg):
    """A vector of products: lane f * I + i; not ``valid``: an operand was zero."""
    return data.ArrayLayout(
        data.StructLayout({"valid": 1, **product_layout(cfg).members}), cfg.lanes)


class MultiplierArray(wiring.Component):
    """Cartesian product of F weights and I activations, with its coordinates.

    A product is ``(weight * activation) >> product_shift`` (arithmetic), modulo 2^acc_bits.
    Throughput: one vector per cycle. Latency: two cycles (operands taken in cycle t: their products
    are at ``o`` in t + 2 at the earliest). Two elastic registers, operands then products: each
    loads when it is empty or leaves in that cycle, so ``i.ready`` follows ``o.ready`` in the same
    cycle. A vector without a single valid product goes the same way.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    i : In(stream.Signature(operands_layout(cfg)))
    o : Out(stream.Signature(products_layout(cfg)))
    product_shift : In(range(2 * data_bits))
        Must hold while operands are on their way.
    empty : Out(1)
        Neither register holds anything.
    """
    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(operands_layout(cfg))),
            "o": Out(stream.Signature(products_layout(cfg))),
            "product_shift": In(range(2 * cfg.data_bits)),
            "empty": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        operands = Signal(operands_layout(self.cfg))
        full, advance = Signal(), Signal()     # the operand register; the product register loads
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(~full | advance),
            self.empty.eq(~full & ~self.o.valid),
        ]
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid)
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += operands.eq(self.i.payload)
        with m.If(advance):
            m.d.sync += self.o.valid.eq(full)
        with m.If(advance & full):
            self._multiply(m, operands)
        return m

    def _multiply(self, m, operands):
        """Loads the product register (inside the caller's If)."""
        cfg = self.cfg
        m.submodules.coordinates = coordinates = Coordinates(cfg)
        nonzero_w, nonzero_a = Signal(cfg.mults_f), Signal(cfg.mults_i)
        for f in range(cfg.mults_f):
            m.d.comb += [nonzero_w[f].eq(operands.weights[f].value.any()),
                         coordinates.offsets[f].eq(operands.weights[f].offset)]
        for i in range(cfg.mults_i):
            m.d.comb += [nonzero_a[i].eq(operands.activations[i].value.any()),
                         coordinates.addresses[i].eq(operands.activations[i].address)]
        for lane in range(cfg.lanes):
            f, i = divmod(lane, cfg.mults_i)
            product = Signal(signed(2 * cfg.data_bits), name=f"product_{lane}")
            m.d.comb += product.eq(operands.weights[f].value * operands.activations[i].value)
            m.d.sync += [
                self.o.payload[lane].valid.eq(nonzero_w[f] & nonzero_a[i]),
                self.o.payload[lane].address.eq(coordinates.products[lane]),
                self.o.payload[lane].value.eq(product >> self.product_shift),
            ]
