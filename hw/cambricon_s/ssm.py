# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: synapse selector module.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.common.select import select

from .config import WIDTHS


class SSM(wiring.Component):
    """Synapse selector module of one PE: each lane's synapse out of the SB words in view.

    The words, one behind the other, are synapses of 2^width bits; lane n gets number offset_n, as
    it lies there (unsigned, zeros above). Registered: what is offered in cycle t is at the output
    in t + 1. Never stalls. (WDM's aliasing of the SB word is here, its look-up behind.)

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    width : In(range(5))
    view : In(sb_view · sb_word_bits)
    offset : In(cfg.offset_bits).array(tn)
    synapse : Out(16).array(tn)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "width": In(range(len(WIDTHS))),
            "view": In(cfg.sb_view * cfg.sb_word_bits),
            "offset": In(cfg.offset_bits).array(cfg.tn),
            "synapse": Out(16).array(cfg.tn),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        longest = WIDTHS[-1]
        cells = Signal(data.ArrayLayout(longest, len(self.view) // longest))
        mask = Signal(longest)
        m.d.comb += [cells.as_value().eq(self.view),
                     mask.eq(select([Const((1 << w) - 1, longest) for w in WIDTHS], self.width))]
        for n in range(cfg.tn):
            # The synapse's first bit in the view: a cell of 16 bits, and a place in it.
            bit = Signal(range(len(self.view)), name=f"bit_{n}")
            cell = Signal(longest, name=f"cell_{n}")
            m.d.comb += [bit.eq(self.offset[n] << self.width), cell.eq(select(cells, bit[4:]))]
            m.d.sync += self.synapse[n].eq((cell >> bit[:4]) & mask)
        return m
