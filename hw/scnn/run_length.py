# Ref: Parashar et al., "SCNN", ISCA 2017, section IV: run-length compression of activations.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .activation_ram import row_layout, write_layout
from .layouts import element_layout


def sample_layout(cfg):
    """An activation before compression; ``end`` closes its channel."""
    return data.StructLayout({"valid": 1, "value": signed(cfg.data_bits), "position": 16,
                              "channel": cfg.channel_bits, "end": 1})


class RunLengthEncoder(wiring.Component):
    """Compresses a channel after the other into rows of I elements.

    Takes a sample in a cycle with ``ready``; it is encoded in the next cycle, later by one cycle
    per placeholder. A row leaves (``write``) in the cycle in which it fills or its channel ends.

    Members
    -------
    i : In(sample_layout(cfg))
        Positions ascend within a channel; every channel ends with ``end``.
    ready, idle : Out(1)
    write : Out(write_layout(cfg))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "i": In(sample_layout(cfg)),
            "ready": Out(1),
            "idle": Out(1),
            "write": Out(write_layout(cfg)),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        held = Signal(sample_layout(cfg))
        following, gap = Signal(16), Signal(16)     # position after the last element; zeros since
        row = Signal(row_layout(cfg))
        lane = Signal(range(cfg.mults_i + 1))
        nonzero, placeholder, element, finish = Signal(), Signal(), Signal(), Signal()
        new = Signal(element_layout(cfg))
        m.d.comb += [
            gap.eq(held.position - following),
            nonzero.eq(held.valid & held.value.any()),
            placeholder.eq(nonzero & (gap >= 1 << cfg.index_bits)),
            element.eq(nonzero),
            finish.eq(held.valid & ~placeholder),
            new.value.eq(Mux(placeholder, 0, held.value)),
            new.run.eq(Mux(placeholder, (1 << cfg.index_bits) - 1, gap)),
            self.ready.eq(~placeholder),
            self.idle.eq(~held.valid),
        ]
        with m.If(self.ready):
            m.d.sync += held.eq(self.i)

        after = Signal.like(row)
        m.d.comb += after.eq(row)
        with m.If(element):
            for n in range(cfg.mults_i):
                with m.If(lane == n):
                    m.d.comb += after[n].eq(new)
        full = Signal()
        ends = Signal()
        m.d.comb += [
            full.eq(element & (lane == cfg.mults_i - 1)),
            ends.eq(finish & held.end),
            self.write.valid.eq(full | ends),
            self.write.has_row.eq(full | (ends & (element | lane.any()))),
            self.write.row.eq(after),
            self.write.last.eq(ends),
            self.write.channel.eq(held.channel),
        ]
        with m.If(element):
            m.d.sync += [row.eq(after), lane.eq(lane + 1),
                         following.eq(Mux(placeholder, following + (1 << cfg.index_bits),
                                          held.position + 1))]
        with m.If(full | ends):
            m.d.sync += [lane.eq(0), row.eq(Const(0, row.shape().size))]
        with m.If(ends):
            m.d.sync += following.eq(0)
        return m
