"""The buffers of a unit: X and S hold neurons, W synapses.

Ref: Li et al., "TNPU", ASP-DAC 2019, Section 3.1, Fig. 4: neuron buffers and synapse buffers.
"""
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.common.memory.banked import Banked
from hw.common.shared import Shared

from .instruction import ADDRESS
from .layouts import fetch_layout


def word_layout(cfg):
    """A word of a buffer, lane by lane."""
    return data.ArrayLayout(32, cfg.lanes)


def write_layout(cfg):
    """A word that is written in this cycle."""
    return data.StructLayout({"en": 1, "addr": ADDRESS, "data": word_layout(cfg)})


def rotated(m, lanes, amount, name):
    """``lanes[(l + amount) mod n]`` for each lane l of a word of n (a power of two) lanes."""
    count = len(lanes)
    for k in range(count.bit_length() - 1):
        turned = [Signal(32, name=f"{name}_{k}_{lane}") for lane in range(count)]
        for lane in range(count):
            m.d.comb += turned[lane].eq(
                Mux(amount[k], lanes[(lane + (1 << k)) % count], lanes[lane]))
        lanes = turned
    return lanes


class _Words(wiring.Component):
    """What X and W have in common: a memory per lane, written word by word.

    Parameters
    ----------
    cfg : TNPUConfig
    depth : int
        Words.
    members : dict
        How it is read.
    """

    def __init__(self, cfg, depth, members):
        self.cfg, self.depth = cfg, depth
        super().__init__({"write": In(write_layout(cfg)), "data": Out(32).array(cfg.lanes),
                          **members})

    def banks(self, m):
        """The memories, always read; the caller gives addresses and what is written."""
        m.submodules.banks = banks = Shared(Banked, 32, self.cfg.lanes, self.depth)
        for write, read in zip(banks.write, banks.read, strict=True):
            m.d.comb += [write.en.eq(self.write.en), write.addr.eq(self.write.addr),
                         read.en.eq(1)]
        return banks


class XBuffer(_Words):
    """``lanes`` banks; bank l holds lane l of each word and is read at an address of its own.

    A word per cycle in, a word per cycle out, which follows its addresses by one cycle; a write
    in cycle t is seen by reads from t + 1 on. What is read beyond the buffer is undefined.

    Parameters
    ----------
    cfg : TNPUConfig
    unit : "c" or "f"

    Members
    -------
    write : In(write_layout(cfg))
    addr : In(16).array(lanes)
    data : Out(32).array(lanes)
    """

    def __init__(self, cfg, unit):
        super().__init__(cfg, cfg.words(unit)[0], {"addr": In(ADDRESS).array(cfg.lanes)})

    def elaborate(self, platform):
        m = Module()
        banks = self.banks(m)
        for lane in range(self.cfg.lanes):
            m.d.comb += [banks.write[lane].data.eq(self.write.data[lane]),
                         banks.read[lane].addr.eq(self.addr[lane]),
                         self.data[lane].eq(banks.read[lane].data)]
        return m


class WBuffer(_Words):
    """Words that are read as they are, or transposed in blocks of ``lanes`` × ``lanes`` values.

    Lane l of word n lies in bank (l + n) mod lanes. ``transpose``: lane n mod lanes of each word of
    n's block. Timing as `XBuffer`.

    Parameters
    ----------
    cfg : TNPUConfig
    unit : "c" or "f"

    Members
    -------
    write : In(write_layout(cfg))
    addr : In(16)
    transpose : In(1)
    data : Out(32).array(lanes)
    """

    def __init__(self, cfg, unit):
        super().__init__(cfg, cfg.words(unit)[1], {"addr": In(ADDRESS), "transpose": In(1)})

    def elaborate(self, platform):
        m = Module()
        lanes = self.cfg.lanes
        bits = lanes.bit_length() - 1
        banks = self.banks(m)
        place, turn = Signal(bits), Signal(bits)        # of the word in its block
        m.d.comb += place.eq(self.addr)
        m.d.sync += turn.eq(place)
        back = Signal(bits)
        m.d.comb += back.eq(-self.write.addr)
        written = rotated(m, list(self.write.data), back, "written")
        out = rotated(m, [read.data for read in banks.read], turn, "read")
        for k in range(lanes):
            in_block = Signal(bits, name=f"in_block_{k}")
            m.d.comb += [
                in_block.eq(Mux(self.transpose, k - place, place)),
                banks.write[k].data.eq(written[k]), self.data[k].eq(out[k]),
                banks.read[k].addr.eq(Cat(in_block, self.addr[bits:])),
            ]
        return m


class SBuffer(wiring.Component):
    """Two banks of sums: an instruction reads and writes one of them, DMA may use the other.

    Timing as `XBuffer`.

    Parameters
    ----------
    cfg : TNPUConfig
    unit : "c" or "f"

    Members
    -------
    bank : In(1)
        The instruction's: of ``reads``, ``addr``, ``write`` and ``data``.
    reads : In(1), addr : In(16), data : Out(32).array(lanes)
        ``reads``: somebody wants the word.
    write : In(write_layout(cfg))
    fill : In(write_layout(cfg)).array(2)
        DMA's writes, by bank.
    fetch : In(fetch_layout()), fetched : Out(word_layout(cfg))
    conflict : Out(1)
        Both use a bank in this cycle.
    """

    def __init__(self, cfg, unit):
        self.cfg, self.depth = cfg, cfg.words(unit)[2]
        super().__init__({
            "bank": In(1), "reads": In(1), "addr": In(ADDRESS), "data": Out(32).array(cfg.lanes),
            "write": In(write_layout(cfg)), "fill": In(write_layout(cfg)).array(2),
            "fetch": In(fetch_layout()), "fetched": Out(word_layout(cfg)), "conflict": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.banks = banks = Shared(Banked, word_layout(self.cfg), 2, self.depth)
        of_data, of_fetched, conflict = Signal(), Signal(), Signal(2)
        m.d.sync += [of_data.eq(self.bank), of_fetched.eq(self.fetch.bank)]
        for k in range(2):
            fill, fetch = self.fill[k], Signal(name=f"fetch_{k}")
            mine = Signal(name=f"mine_{k}")
            write, read = banks.write[k], banks.read[k]
            m.d.comb += [
                mine.eq(self.bank == k), fetch.eq(self.fetch.valid & (self.fetch.bank == k)),
                conflict[k].eq(mine & (self.reads | self.write.en) & (fill.en | fetch)),
                read.en.eq(1), read.addr.eq(Mux(fetch, self.fetch.word, self.addr)),
                write.en.eq(fill.en | mine & self.write.en),
                write.addr.eq(Mux(fill.en, fill.addr, self.write.addr)),
                write.data.eq(Mux(fill.en, fill.data, self.write.data)),
            ]
        m.d.comb += [
            self.conflict.eq(conflict.any()),
            self.fetched.eq(Mux(of_fetched, banks.read[1].data, banks.read[0].data)),
        ]
        for lane in range(self.cfg.lanes):
            m.d.comb += self.data[lane].eq(
                Mux(of_data, banks.read[1].data[lane], banks.read[0].data[lane]))
        return m
