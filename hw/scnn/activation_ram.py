"""IARAM and OARAM: compressed activations and where each channel lies.

Ref: Parashar et al., "SCNN", ISCA 2017, Section IV, Fig. 6: IARAM, OARAM and their indices. A PE
has two, which swap between layers.
"""
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .layouts import element_layout


def row_layout(cfg):
    """A row of the RAM: I compressed elements."""
    return data.ArrayLayout(element_layout(cfg), cfg.mults_i)


def table_layout(cfg):
    """Where a channel lies: its first row and its rows."""
    return data.StructLayout({"start": cfg.row_bits, "count": range(cfg.ram_rows + 1)})


def write_layout(cfg):
    """What a writer says in a cycle; nothing counts without ``valid``."""
    return data.StructLayout({
        "valid": 1,
        "has_row": 1,    # append `row` to the open channel
        "row": row_layout(cfg),
        "last": 1,       # close it (after this row, if there is one) as `channel`
        "channel": cfg.channel_bits,
    })


class ActivationRAM(wiring.Component):
    """One activation RAM: rows of I elements, a table of channels, a bitmap of non-empty ones.

    Rows are appended in channel order; each channel starts at a row of its own. Always ready to be
    written, one row per cycle. What is written in cycle t can be read from t + 1: bitmap in t + 1,
    table and rows with an address given in t + 1. Reads are synchronous: address in cycle t, data
    in t + 1. A closed channel without rows leaves no trace.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    clear : In(1)
        Empties the RAM; wins over a write in the same cycle.
    write : In(write_layout(cfg))
    bitmap : Out(max_channels)
        Channels with at least one row.
    overflow : Out(1)
        A row beyond ``ram_rows`` was dropped; stays until ``clear``.
    table_addr, table_data : In(channel_bits), Out(table_layout(cfg))
        Defined for channels in the bitmap.
    row_addr, row_data : In(row_bits), Out(row_layout(cfg))
    """
    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "clear": In(1),
            "write": In(write_layout(cfg)),
            "bitmap": Out(cfg.max_channels),
            "overflow": Out(1),
            "table_addr": In(cfg.channel_bits),
            "table_data": Out(table_layout(cfg)),
            "row_addr": In(cfg.row_bits),
            "row_data": Out(row_layout(cfg)),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        level = Signal(range(cfg.ram_rows + 1))     # rows written
        start = Signal.like(level)                  # level when the open channel began
        after = Signal.like(level)
        append, close = Signal(), Signal()
        write = self.write
        m.d.comb += [
            append.eq(write.valid & write.has_row & (level != cfg.ram_rows)),
            after.eq(level + append),
            close.eq(write.valid & write.last & (after != start)),
        ]
        m.d.sync += level.eq(after)
        with m.If(write.valid & write.has_row & ~append):
            m.d.sync += self.overflow.eq(1)
        with m.If(write.valid & write.last):
            m.d.sync += start.eq(after)
        with m.If(close):
            self._mark(m)
        with m.If(self.clear):
            m.d.sync += [level.eq(0), start.eq(0), self.bitmap.eq(0), self.overflow.eq(0)]
        self._rows(m, append, level)
        self._table(m, close, start, after)
        return m

    def _mark(self, m):
        """Sets the bit of the channel that closes; in words, as one long shift simulates slowly."""
        bit = Const(1, 1) << self.write.channel[:5]
        for n, at in enumerate(range(0, self.cfg.max_channels, 32)):
            word = self.bitmap[at:at + 32]
            with m.If(self.write.channel[5:] == n):
                m.d.sync += word.eq(word | bit)

    def _rows(self, m, append, level):
        """Values and runs apart, as in the paper: two memories with one address."""
        cfg = self.cfg
        for name, part, shape in (("activations", "value", signed(cfg.data_bits)),
                                  ("indices", "run", unsigned(cfg.index_bits))):
            m.submodules[name] = memory = Memory(
                shape=data.ArrayLayout(shape, cfg.mults_i), depth=cfg.ram_rows, init=[])
            port, read = memory.write_port(), memory.read_port()
            m.d.comb += [port.en.eq(append), port.addr.eq(level), read.en.eq(1),
                         read.addr.eq(self.row_addr)]
            for i in range(cfg.mults_i):
                m.d.comb += [port.data[i].eq(self.write.row[i][part]),
                             self.row_data[i][part].eq(read.data[i])]

    def _table(self, m, close, start, after):
        m.submodules.table = table = Memory(
            shape=table_layout(self.cfg), depth=self.cfg.max_channels, init=[])
        port, read = table.write_port(), table.read_port()
        m.d.comb += [
            port.en.eq(close), port.addr.eq(self.write.channel),
            port.data.start.eq(start), port.data.count.eq(after - start),
            read.en.eq(1), read.addr.eq(self.table_addr), self.table_data.eq(read.data),
        ]
