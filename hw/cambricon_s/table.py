# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: the non-linear function of the NFU.
import math
from itertools import pairwise

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

RANGE = 8           # of the input: -8 to 8
LATENCY = 2


def entries(data_bits, table_bits):
    """For sigmoid, then tanh: for each interval its first value and the way to the next one's."""
    one = 1 << data_bits - 1
    out = []
    for function in (lambda x: 1 / (1 + math.exp(-x)), math.tanh):
        ends = [min(round(function(n * 2 * RANGE / 2**table_bits - RANGE) * one), one - 1)
                for n in range(2**table_bits + 1)]
        out += [(low, high - low) for low, high in pairwise(ends)]
    return out


class Table(wiring.Component):
    """Sigmoid and tanh: linear between 2^table_bits equal steps, rounded half up.

    An input in cycle t has its output in t + `LATENCY`; one per cycle.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    tanh : In(1)
    i, o : signed(data_bits)
        ``data_bits`` - 4, ``data_bits`` - 1 fraction bits.
    """

    def __init__(self, cfg):
        if cfg.table_bits >= cfg.data_bits:
            raise ValueError(f"table_bits must be below data_bits ({cfg.data_bits}), "
                             f"not {cfg.table_bits}")
        self.cfg = cfg
        super().__init__({"tanh": In(1), "i": In(signed(cfg.data_bits)),
                          "o": Out(signed(cfg.data_bits))})

    def elaborate(self, platform):
        m = Module()
        bits, low = self.cfg.data_bits, self.cfg.data_bits - self.cfg.table_bits
        row = data.StructLayout({"value": signed(bits), "rise": signed(bits + 1)})
        m.submodules.rows = rows = Memory(
            shape=row, depth=2 << self.cfg.table_bits,
            init=[{"value": value, "rise": rise}
                  for value, rise in entries(bits, self.cfg.table_bits)])
        read, part = rows.read_port(), Signal(low)
        product, value = Signal(signed(bits + low + 1)), Signal(signed(bits))
        m.d.comb += read.addr.eq(Cat(self.i[low:-1], ~self.i[-1], self.tanh))
        m.d.sync += [part.eq(self.i[:low]), product.eq(read.data.rise * part),
                     value.eq(read.data.value)]
        m.d.comb += self.o.eq(value + ((product + (1 << low - 1)) >> low))
        return m
