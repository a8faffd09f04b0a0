# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V: input neuron buffer.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.select import select

from .instruction import CHOICES
from .layouts import ADDRESS, fill_layout


class NBin(wiring.Component):
    """Input neuron buffer: two sides of granules, a window of consecutive ones per cycle.

    Granule a lies in bank a mod `nbin_banks`, so that a beat is written, and a window read, from
    any granule on. A beat in cycle t is read from t + 1 on. Neurons beyond the side are undefined.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    fill : In(fill_layout(cfg))
        Units are granules.
    en, side, addr : In
        Reads the window at granule ``addr``; ``window`` follows by a cycle and holds without
        ``en``.
    window : Out(ArrayLayout(signed(data_bits), cfg.window))
    beyond : Out(1)
        A granule of this cycle's beat lies beyond the side; it is not written.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "fill": In(fill_layout(cfg)), "en": In(1), "side": In(1), "addr": In(ADDRESS),
            "window": Out(data.ArrayLayout(signed(cfg.data_bits), cfg.window)),
            "beyond": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg, fill = self.cfg, self.fill
        banks, rows = cfg.nbin_banks, cfg.nbin_granules // cfg.nbin_banks
        low = banks.bit_length() - 1
        cell = min(cfg.granule_bits, cfg.memory_bits)
        cells = [fill.data[n:n + cell] for n in range(0, cfg.memory_bits, cell)]
        here, first = Signal(), Signal(ADDRESS)
        m.d.comb += [here.eq(fill.valid & (fill.to == CHOICES["buffer"].index("nbin"))),
                     first.eq(fill.base + fill.index)]
        turn = Signal(range(max(2, banks)))
        with m.If(self.en):
            m.d.sync += turn.eq(self.addr[:low])
        beyond, granules = Signal(len(cells)), []
        for bank in range(banks):
            memory = Memory(shape=cfg.granule_bits, depth=2 * rows, init=[])
            m.submodules[f"bank_{bank}"] = memory
            write = memory.write_port(granularity=cell)
            read = memory.read_port()
            # The unit of the beat that is this bank's, if it has one.
            unit, at = Signal(low, name=f"unit_{bank}"), Signal(ADDRESS, name=f"at_{bank}")
            place, counts = Signal(ADDRESS, name=f"place_{bank}"), Signal(name=f"counts_{bank}")
            m.d.comb += [
                unit.eq(bank - first[:low]), at.eq(first + unit), place.eq(fill.index + unit),
                counts.eq(here & (unit < len(cells)) & (place >= fill.low) & (place < fill.high)
                          & (at < cfg.nbin_granules)),
                write.addr.eq(fill.side * rows + (at >> low)),
            ]
            if len(cells) > 1:
                m.d.comb += [write.data.eq(select(cells, unit[:(len(cells) - 1).bit_length()])),
                             write.en.eq(counts)]
            else:
                parts = cfg.granule_bits // cell
                m.d.comb += [write.data.eq(fill.data.replicate(parts)),
                             write.en.eq(counts << fill.part[:8])]
            back, from_ = Signal(low, name=f"back_{bank}"), Signal(ADDRESS, name=f"from_{bank}")
            m.d.comb += [back.eq(bank - self.addr[:low]), from_.eq(self.addr + back),
                         read.addr.eq(self.side * rows + (from_ >> low)), read.en.eq(self.en)]
            granules.append(read.data)
        for n in range(len(cells)):
            place = Signal(ADDRESS, name=f"cell_{n}")
            m.d.comb += [place.eq(fill.index + n),
                         beyond[n].eq(here & (place >= fill.low) & (place < fill.high)
                                      & ((first + n)[:ADDRESS] >= cfg.nbin_granules))]
        m.d.comb += self.beyond.eq(beyond.any())
        for step in range(low):
            turned = [Signal(cfg.granule_bits, name=f"turned_{step}_{n}") for n in range(banks)]
            for n in range(banks):
                m.d.comb += turned[n].eq(Mux(turn[step], granules[(n + (1 << step)) % banks],
                                             granules[n]))
            granules = turned
        m.d.comb += self.window.as_value().eq(Cat(granules[:cfg.window_granules]))
        return m
