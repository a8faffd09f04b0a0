# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V: synapse index buffer.
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .instruction import CHOICES
from .layouts import ADDRESS, fill_layout


class SIB(wiring.Component):
    """Synapse index buffer: an index shared by all PEs or one of each, a window's bits per cycle.

    Rows of a word or a beat, whichever is longer: a beat's first word is the first of a row. A
    beat in cycle t is read from t + 1 on.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    fill : In(fill_layout(cfg))
        Units are words.
    en, side, word : In
        ``index`` follows by a cycle and holds without ``en``.
    index : Out(cfg.index_bits)
    beyond : Out(1)
        A word of this cycle's beat lies beyond the side, or the beat begins inside a row.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({"fill": In(fill_layout(cfg)), "en": In(1), "side": In(1),
                          "word": In(ADDRESS), "index": Out(cfg.index_bits), "beyond": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg, fill = self.cfg, self.fill
        words = max(1, cfg.memory_bits // cfg.index_bits)           # of a row
        low = words.bit_length() - 1
        rows = -(-cfg.sib_words // words)
        m.submodules.rows = memory = Memory(shape=max(cfg.index_bits, cfg.memory_bits),
                                            depth=2 * rows, init=[])
        write = memory.write_port(granularity=min(cfg.index_bits, cfg.memory_bits))
        read = memory.read_port()
        first, here = Signal(ADDRESS), Signal()
        there = Signal(words)
        m.d.comb += [
            first.eq(fill.base + fill.index),
            here.eq(fill.valid & (fill.to == CHOICES["buffer"].index("sib"))),
            write.addr.eq(fill.side * rows + (first >> low)),
            self.beyond.eq((there.any() & (first[:low] != 0))
                           | Cat(there[n] & (first + n >= cfg.sib_words)
                                 for n in range(words)).any()),
        ]
        for n in range(words):
            place = Signal(ADDRESS, name=f"place_{n}")
            m.d.comb += [place.eq(fill.index + n),
                         there[n].eq(here & (place >= fill.low) & (place < fill.high))]
        wanted = Mux(self.beyond, 0, there)
        if words > 1:
            m.d.comb += [write.data.eq(fill.data), write.en.eq(wanted)]
        else:
            parts = cfg.index_bits // min(cfg.index_bits, cfg.memory_bits)
            m.d.comb += [write.data.eq(fill.data.replicate(parts)),
                         write.en.eq(wanted << fill.part[:8])]
        place = Signal(range(max(2, words)))
        with m.If(self.en):
            m.d.sync += place.eq(self.word[:low])
        m.d.comb += [read.addr.eq(self.side * rows + (self.word >> low)), read.en.eq(self.en),
                     self.index.eq(read.data.word_select(place, cfg.index_bits))]
        return m
