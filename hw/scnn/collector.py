# Ref: Parashar et al., "SCNN", ISCA 2017, Fig. 5: activations streamed from the PEs to DRAM.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared

from .layouts import SlotKind, line_layout
from .pe import store_layout


class RowCollector(wiring.Component):
    """Reads the output RAMs of one row of PEs, left to right, and packs their rows into lines.

    Cycles: one per channel that is empty; for a channel of n rows 2 + n; one to hand over a line
    (if it is taken at once) after its last slot, two at a channel advance beyond 15, and at the end
    of a PE one, two if it leaves a line begun, and one to go on to the next PE.

    Members
    -------
    start : In(1)
    channels : In(16)
        Channels of the output RAM.
    first_target : In(16)
        Index of the leftmost PE.
    channel, row : Out
        Read addresses, to all PEs of the row: the channel and the row of the next cycle.
    pes : In(store_layout(cfg)).array(pe_cols)
    o : Out(stream.Signature(line_layout(cfg)))
    done : Out(1)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "start": In(1),
            "channels": In(16),
            "first_target": In(16),
            "channel": Out(cfg.channel_bits),
            "row": Out(cfg.row_bits),
            "pes": In(data.ArrayLayout(store_layout(cfg), cfg.pe_cols)),
            "o": Out(stream.Signature(line_layout(cfg))),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        pe = Signal(store_layout(cfg))
        column, at = Signal(range(cfg.pe_cols + 1)), Signal(16)
        filled, previous = Signal(range(cfg.weight_bus + 1)), Signal(16)
        address, left = Signal(cfg.row_bits), Signal(cfg.row_bits + 1)
        first, pe_ends = Signal(), Signal()
        far, following = Signal(), Signal.like(at)
        m.d.sync += at.eq(following)
        m.d.comb += [pe.eq(self.pes[column]), following.eq(at), self.channel.eq(following),
                     self.row.eq(address),
                     far.eq(filled.any() & (at - previous > 15))]
        line = self.o.p
        with m.FSM():
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                with m.If(self.start):
                    m.d.sync += column.eq(0)
                    m.d.comb += following.eq(0)
                    m.next = "SCAN"
            with m.State("SCAN"):
                with m.If(at == self.channels):
                    m.d.sync += [pe_ends.eq(1)]
                    with m.If(filled.any()):
                        m.next = "HAND_OVER"
                    with m.Else():
                        m.next = "NEXT_PE"
                with m.Elif(pe.present):
                    m.next = "TABLE"
                with m.Else():
                    m.d.comb += following.eq(at + 1)
            with m.State("TABLE"):
                m.d.comb += self.row.eq(pe.table.start)
                m.d.sync += [address.eq(pe.table.start), left.eq(pe.table.count), first.eq(1)]
                m.next = "ROWS"
            with m.State("ROWS"):
                with m.If(far):
                    m.next = "HAND_OVER"
                with m.Else():
                    m.d.comb += self.row.eq(address + 1)
                    m.d.sync += [address.eq(address + 1), left.eq(left - 1), first.eq(0),
                                 filled.eq(filled + 1), previous.eq(at)]
                    self._append(m, line, filled, pe.row, first, left == 1, at, previous, column)
                    with m.If(left == 1):
                        m.d.comb += following.eq(at + 1)
                        m.next = "SCAN"
                    with m.If(filled == cfg.weight_bus - 1):
                        m.next = "HAND_OVER"
            with m.State("HAND_OVER"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += [line.eq(Const(0, line.shape().size)), filled.eq(0)]
                    with m.If(left.any()):
                        m.next = "ROWS"
                    with m.Elif(pe_ends):
                        m.next = "NEXT_PE"
                    with m.Else():
                        m.next = "SCAN"
            with m.State("NEXT_PE"):
                m.d.sync += [pe_ends.eq(0), column.eq(column + 1)]
                m.d.comb += following.eq(0)
                m.next = "SCAN"
                with m.If(column == cfg.pe_cols - 1):
                    m.next = "DONE"
        return m

    def _append(self, m, line, filled, row, first, last, at, previous, column):
        with m.If(filled == 0):
            m.d.sync += [line.channel.eq(at), line.target.eq(self.first_target + column)]
        for n in range(self.cfg.weight_bus):
            with m.If(filled == n):
                header = line.headers[n]
                m.d.sync += [line.slots[n].eq(row.as_value()), header.kind.eq(SlotKind.ROW),
                             header.first.eq(first), header.last.eq(last),
                             header.step.eq(Mux(filled == 0, 0, at - previous))]


class Collector(wiring.Component):
    """Merges the lines of all PE rows in strict rotation, and ends with an empty line.

    One line per cycle where a row has one ready; a row that has finished costs a cycle per turn.
    The last line has ``end_section`` and EMPTY slots only.

    Members
    -------
    start : In(1)
    channels : In(16)
    channel, row : arrays of read addresses, by PE row
    pes : In(store_layout(cfg)), by PE row and column
    o : Out(stream.Signature(line_layout(cfg)))
    done : Out(1)
        From the cycle after the last line left.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "start": In(1),
            "channels": In(16),
            "channel": Out(data.ArrayLayout(cfg.channel_bits, cfg.pe_rows)),
            "row": Out(data.ArrayLayout(cfg.row_bits, cfg.pe_rows)),
            "pes": In(data.ArrayLayout(data.ArrayLayout(store_layout(cfg), cfg.pe_cols),
                                       cfg.pe_rows)),
            "o": Out(stream.Signature(line_layout(cfg))),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        rows = [Shared(RowCollector, cfg) for _ in range(cfg.pe_rows)]
        done, valid = Signal(cfg.pe_rows), Signal(cfg.pe_rows)
        turn = Signal(range(cfg.pe_rows))
        for r, collector in enumerate(rows):
            m.submodules[f"row_{r}"] = collector
            m.d.comb += [
                collector.start.eq(self.start), collector.channels.eq(self.channels),
                collector.first_target.eq(r * cfg.pe_cols), collector.pes.eq(self.pes[r]),
                self.channel[r].eq(collector.channel), self.row[r].eq(collector.row),
                done[r].eq(collector.done), valid[r].eq(collector.o.valid),
            ]
        with m.FSM():
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                with m.If(self.start):
                    m.d.sync += turn.eq(0)
                    m.next = "COLLECT"
            with m.State("COLLECT"):
                following = Mux(turn == cfg.pe_rows - 1, 0, turn + 1)
                with m.Switch(turn):
                    for r, collector in enumerate(rows):
                        with m.Case(r):
                            m.d.comb += [self.o.valid.eq(valid[r]),
                                         self.o.payload.eq(collector.o.p),
                                         collector.o.ready.eq(self.o.ready)]
                with m.If(~self.start & done.all()):
                    m.next = "END"
                with m.Elif(done.bit_select(turn, 1) | (self.o.valid & self.o.ready)):
                    m.d.sync += turn.eq(following)
            with m.State("END"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.end_section.eq(1)]
                with m.If(self.o.ready):
                    m.next = "DONE"
        return m
