# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: processing element.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import ENTRIES, WIDTHS
from .pefu import PEFU
from .sb import SB, sb_fill_layout
from .ssm import SSM
from .wdm import WDM

LATENCY = 6         # from an issue to its segment's sum


def step_layout(cfg):
    """What the blocks of all PEs are given in a cycle: of the issue of this cycle (``word``), of
    those one, two, three cycles before."""
    return data.StructLayout({
        "sb_side": 1, "word": cfg.sb_addr_bits,
        "width": range(len(WIDTHS)), "offsets": data.ArrayLayout(cfg.offset_bits, cfg.tn),
        "book_side": 1, "plain": 1, "used": range(ENTRIES + 1), "looked_up": cfg.tn,
        "neurons": data.ArrayLayout(signed(cfg.data_bits), cfg.tn), "multiplied": cfg.tn,
        "last": 1})


class PE(wiring.Component):
    """One processing element: SB, SSM, WDM, PEFU, one behind the other.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    fill : In(sb_fill_layout(cfg))
    book : In({valid, side, row, data})
        A row of the codebook.
    step : In(step_layout(cfg))
    total : Out(signed(acc_bits))
        In the cycle `LATENCY` after a segment's last issue: its sum.
    done : Out(1)
    error : Out(1)
        An index beyond the codebook, three cycles after its issue.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "fill": In(sb_fill_layout(cfg)), "book": In(book_layout(cfg)),
            "step": In(step_layout(cfg)), "total": Out(signed(cfg.acc_bits)), "done": Out(1),
            "error": Out(1)})

    def elaborate(self, platform):
        m = Module()
        step = self.step
        m.submodules.sb = sb = SB(self.cfg)
        m.submodules.ssm = ssm = SSM(self.cfg)
        m.submodules.wdm = wdm = WDM(self.cfg)
        m.submodules.pefu = pefu = PEFU(self.cfg)
        m.d.comb += [
            sb.fill.eq(self.fill), sb.side.eq(step.sb_side), sb.word.eq(step.word),
            ssm.view.eq(sb.view), ssm.width.eq(step.width),
            wdm.write.en.eq(self.book.valid), wdm.write.side.eq(self.book.side),
            wdm.write.row.eq(self.book.row), wdm.write.data.eq(self.book.data),
            wdm.side.eq(step.book_side), wdm.plain.eq(step.plain), wdm.used.eq(step.used),
            wdm.valid.eq(step.looked_up), pefu.valid.eq(step.multiplied),
            pefu.last.eq(step.last), self.total.eq(pefu.total), self.done.eq(pefu.done),
            self.error.eq(wdm.error),
        ]
        for n in range(self.cfg.tn):
            m.d.comb += [ssm.offset[n].eq(step.offsets[n]), wdm.index[n].eq(ssm.synapse[n]),
                         pefu.synapse[n].eq(wdm.synapse[n]), pefu.neuron[n].eq(step.neurons[n])]
        return m


def book_layout(cfg):
    """A row of the codebook, written in this cycle."""
    return data.StructLayout({"valid": 1, "side": 1, "row": range(max(2, cfg.book_rows)),
                              "data": cfg.memory_bits})
