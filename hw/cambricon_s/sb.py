# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: synapse buffer of a PE.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


def sb_fill_layout(cfg):
    """A word of a PE, or ``part`` of it where a beat is less, written in this cycle."""
    cell = min(cfg.sb_word_bits, cfg.memory_bits)
    return data.StructLayout({"valid": 1, "side": 1, "word": cfg.sb_addr_bits,
                              "part": range(max(2, cfg.sb_word_bits // cell)), "data": cell})


class SB(wiring.Component):
    """Synapse buffer of one PE: two sides, ``sb_view`` consecutive words per cycle.

    Word w lies in bank w mod ``sb_view``. A word in cycle t is read from t + 1 on; words beyond
    the side are undefined.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    fill : In(sb_fill_layout(cfg))
    side : In(1), word : In(cfg.sb_addr_bits)
    view : Out(sb_view · sb_word_bits)
        The words from ``word`` on, a cycle later.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({"fill": In(sb_fill_layout(cfg)), "side": In(1),
                          "word": In(cfg.sb_addr_bits),
                          "view": Out(cfg.sb_view * cfg.sb_word_bits)})

    def elaborate(self, platform):
        m = Module()
        cfg, fill = self.cfg, self.fill
        rows, low = cfg.sb_words // cfg.sb_view, cfg.sb_view.bit_length() - 1
        parts = cfg.sb_word_bits // len(fill.data)
        words, turn = [], Signal(range(max(2, cfg.sb_view)))
        m.d.sync += turn.eq(self.word[:low])
        for bank in range(cfg.sb_view):
            m.submodules[f"bank_{bank}"] = memory = Memory(shape=cfg.sb_word_bits, depth=2 * rows,
                                                           init=[])
            write = memory.write_port(granularity=len(fill.data))
            read = memory.read_port()
            back, at = Signal(low, name=f"back_{bank}"), Signal(cfg.sb_addr_bits + 1,
                                                                name=f"at_{bank}")
            m.d.comb += [
                write.addr.eq(fill.side * rows + (fill.word >> low)),
                write.data.eq(fill.data.replicate(parts)),
                write.en.eq((fill.valid & (fill.word[:low] == bank)) << fill.part),
                back.eq(bank - self.word[:low]), at.eq(self.word + back),
                read.addr.eq(self.side * rows + (at >> low)),
            ]
            words.append(read.data)
        for step in range(low):
            words = [Mux(turn[step], words[(n + (1 << step)) % len(words)], word)
                     for n, word in enumerate(words)]
        m.d.comb += self.view.eq(Cat(words))
        return m
