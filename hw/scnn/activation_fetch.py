"""Fetch of activation vectors: from channels to rows of decoded activations.

Ref: Parashar et al., "SCNN", ISCA 2017, Section IV, Fig. 6: the input buffer delivers a vector of I
non-zero activations with their coordinates.
"""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from hw.common.stream.fifo import FIFO

from .activation_ram import row_layout, table_layout
from .layouts import activation_layout

BLOCKS = 3    # channels looked up ahead: one in the table's read register, two waiting
ROWS = 4      # rows fetched ahead


def vector_layout(cfg):
    """A row of decoded activations; ``last``: of its channel."""
    return data.StructLayout({
        "activations": data.ArrayLayout(activation_layout(cfg), cfg.mults_i),
        "last": 1,
    })


class ActivationFetch(wiring.Component):
    """Reads the rows of each channel asked for and turns runs into addresses.

    Element n of a channel has position Σ_{j<=n} (run_j + 1) - 1, and address
    ``base + position * kc``. Placeholders and fill (value 0) get addresses too.

    Throughput: a channel and a row per cycle. Timing: a channel is taken in cycle s if fewer than
    BLOCKS channels are queued (seen at the start of s) or in the table's read register; it is
    queued at the end of s + 1. A row of the queue's head is read in cycle i >= s + 2, one per
    cycle, if fewer than ROWS rows are queued (at the start of i) or were read in i - 1. It is at
    ``o`` from i + 2 on.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    i : In(stream.Signature({"channel": channel_bits}))
        Channels with at least one row.
    o : Out(stream.Signature(vector_layout(cfg)))
    base : In(acc_addr_bits)
    kc : In(range(max_kc + 1))
    limit : In(acc_addr_bits + 1)
        First address that is out of the window. These three hold while anything is on its way.
    range_error : Out(1)
        A row was decoded in the cycle before in which a value other than 0 has an address of
        ``limit`` or more; such an address is meaningless.
    table_addr, table_data : Out(channel_bits), In(table_layout(cfg))
    row_addr, row_data : Out(row_bits), In(row_layout(cfg))
        Read ports of the `ActivationRAM`.
    """
    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"channel": cfg.channel_bits}))),
            "o": Out(stream.Signature(vector_layout(cfg))),
            "base": In(cfg.acc_addr_bits),
            "kc": In(bits_for(cfg.max_kc)),
            "limit": In(cfg.acc_addr_bits + 1),
            "range_error": Out(1),
            "table_addr": Out(cfg.channel_bits),
            "table_data": In(table_layout(cfg)),
            "row_addr": Out(cfg.row_bits),
            "row_data": In(row_layout(cfg)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.blocks = blocks = FIFO(table_layout(self.cfg), BLOCKS)
        m.submodules.rows = rows = FIFO(vector_layout(self.cfg), ROWS)
        self._look_up(m, blocks)
        self._read(m, blocks, rows)
        wiring.connect(m, rows.o, wiring.flipped(self.o))
        return m

    def _look_up(self, m, blocks):
        """A channel enters the table's read register, then the queue, which has room for it."""
        looked_up = Signal()
        m.d.comb += [
            self.i.ready.eq(blocks.level + looked_up < BLOCKS),
            self.table_addr.eq(self.i.payload.channel),
            blocks.i.valid.eq(looked_up),
            blocks.i.payload.eq(self.table_data),
        ]
        m.d.sync += looked_up.eq(self.i.valid & self.i.ready)

    def _read(self, m, blocks, rows):
        cfg = self.cfg
        done = Signal(range(cfg.ram_rows + 1))      # rows of the head block read before
        first, last, issue = Signal(), Signal(), Signal()
        fetched, fetched_first, fetched_last = Signal(), Signal(), Signal()
        m.d.comb += [
            issue.eq(blocks.o.valid & (rows.level + fetched < ROWS)),
            first.eq(done == 0),
            last.eq(done + 1 == blocks.o.payload.count),
            self.row_addr.eq(blocks.o.payload.start + done),
            blocks.o.ready.eq(issue & last),
            rows.i.valid.eq(fetched),
            rows.i.payload.last.eq(fetched_last),
        ]
        m.d.sync += fetched.eq(issue)
        with m.If(issue):
            m.d.sync += [done.eq(Mux(last, 0, done + 1)),
                         fetched_first.eq(first), fetched_last.eq(last)]
        self._decode(m, fetched, fetched_first, rows.i.payload.activations)

    def _decode(self, m, fetched, first, out):
        """Runs to addresses. A position of 2^acc_addr_bits is as far out as any beyond it."""
        cfg = self.cfg
        bits = cfg.acc_addr_bits
        position = Signal(bits + 1)                 # of the next row's first element, its run aside
        wrong = Signal(cfg.mults_i)
        following = Mux(first, 0, position)
        for i in range(cfg.mults_i):
            element = self.row_data[i]
            here = Signal(range(2**bits + (i + 1) * 2**cfg.index_bits), name=f"position_{i}")
            address = Signal(len(here) + len(self.kc) + 1, name=f"address_{i}")
            m.d.comb += [
                here.eq(following + element.run),
                address.eq(self.base + here * self.kc),
                out[i].value.eq(element.value),
                out[i].address.eq(address),
                wrong[i].eq(element.value.any() & (address >= self.limit)),
            ]
            following = here + 1
        with m.If(fetched):
            m.d.sync += position.eq(Mux(following >> bits, 1 << bits, following))
        m.d.sync += self.range_error.eq(fetched & wrong.any())
