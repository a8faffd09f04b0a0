# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: what the SSMs of all PEs are given.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.select import select

from .config import WIDTHS
from .layouts import issue_layout, vector_layout


class Dispatch(wiring.Component):
    """Cuts a vector where its targets leave the view, once for all PEs.

    A view is ``sb_view`` SB words, the first being that of the first lane that is still to go. A
    vector takes as many cycles as it has views; one without lanes takes one. An issue is at the
    output in the cycle after its vector was taken or its predecessor left: a register.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    width : In(range(5))
        log2 of a synapse's bits; constant from a segment's first vector to its last issue.
    word : In(cfg.sb_addr_bits)
        Where the segment's synapses begin in the SB; constant as ``width`` is.
    i : In(stream.Signature(vector_layout(cfg)))
    o : Out(stream.Signature(issue_layout(cfg)))
    out_of_view : Out(1)
        Lanes of the vector at the input must wait for another view.
    ends : Out(1), meet : In(1)
        The vector at the input is a segment's last, and all its lanes could go; they do when
        the other selectors' can.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "width": In(range(len(WIDTHS))),
            "word": In(cfg.sb_addr_bits),
            "i": In(stream.Signature(vector_layout(cfg))),
            "o": Out(stream.Signature(issue_layout(cfg))),
            "out_of_view": Out(1), "ends": Out(1), "meet": In(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, given, out = self.cfg, self.i.p, self.o.p
        word_bits = (cfg.sb_word_bits - 1).bit_length()
        gone = Signal(cfg.tn)                       # lanes that were issued
        words, left, here = [], Signal(cfg.tn), Signal(cfg.tn)
        for n in range(cfg.tn):
            # A word has 2^(word_bits - width) synapses.
            word = Signal(cfg.target_bits, name=f"word_{n}")
            m.d.comb += word.eq((given.lanes[n].target << self.width) >> word_bits)
            words.append(word)
            m.d.comb += left[n].eq((n < given.count) & ~gone[n])
        base = Signal(cfg.target_bits)
        m.d.comb += base.eq(words[-1])
        for n in reversed(range(cfg.tn)):
            with m.If(left[n]):
                m.d.comb += base.eq(words[n])
        for n in range(cfg.tn):
            m.d.comb += here[n].eq(left[n] & (words[n] - base < cfg.sb_view))
        whole, load = Signal(), Signal()
        m.d.comb += [
            whole.eq(left == here), self.ends.eq(self.i.valid & whole & given.last),
            load.eq(self.i.valid & (~self.o.valid | self.o.ready) & (~self.ends | self.meet)),
            self.i.ready.eq(load & whole), self.out_of_view.eq(self.i.valid & ~whole),
        ]
        with m.If(load):
            m.d.sync += [gone.eq(Mux(whole, 0, gone | here)), self.o.valid.eq(1),
                         out.word.eq(self.word + base), out.last.eq(given.last & whole),
                         out.synapses.eq(given.synapses)]
            for n in range(cfg.tn):
                m.d.sync += [out.lanes[n].valid.eq(here[n]),
                             out.lanes[n].neuron.eq(given.lanes[n].neuron),
                             out.lanes[n].offset.eq(self._offset(given.lanes[n].target, base))]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m

    def _offset(self, target, base):
        """target - base · synapses per word: no carry below the word's number."""
        cfg = self.cfg
        word_bits = (cfg.sb_word_bits - 1).bit_length()
        views = []
        for width in range(len(WIDTHS)):
            low = word_bits - width
            view = (cfg.sb_view - 1).bit_length()
            if not view:
                views.append(target[:low])
                continue
            word = (target[low:low + view] - base[:view])[:view]
            views.append(Cat(target[:low], word))
        return select([(v | Const(0, cfg.offset_bits))[:cfg.offset_bits] for v in views],
                      self.width)
