# Ref: Parashar et al., "SCNN", ISCA 2017, section IV: coordinates from the index vectors.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree

from .layouts import (
    SlotKind,
    decoded_line_layout,
    element_layout,
    layer_layout,
    line_layout,
)


class WeightDecoder(wiring.Component):
    """Turns the run lengths of a line into linear accumulator offsets, once for all PEs.

    Full rate; a line taken in cycle t is at the output in t+2 at the earliest. A weight at position
    p of its block gets ``p + (kernel rows below p) * kernel_gap``.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    layer : In(layer_layout())
        ``load`` (is there a load section), ``kernel_row``, ``kernel_rows``, ``kernel_gap``.
    start : In(1)
        A layer begins.
    i : In(stream.Signature(line_layout(cfg)))
    o : Out(stream.Signature)
        ``line``: the decoded line, ``end_section``.
    complete : Out(1)
        All lines that the descriptor promised have been taken.
    error : Out(1)
        Raised and held: a slot of the wrong section, a block that opens or closes wrongly, spans
        more lines than the FIFO holds, or has a weight outside the kernel; a channel out of range;
        another number of groups than the descriptor's.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "layer": In(layer_layout()),
            "start": In(1),
            "i": In(stream.Signature(line_layout(cfg))),
            "o": Out(stream.Signature(data.StructLayout({
                "line": decoded_line_layout(cfg), "end_section": 1}))),
            "complete": Out(1),
            "error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        position = data.ArrayLayout(16, cfg.slot_elements)
        middle = Signal(line_layout(cfg))
        channels = Signal(data.ArrayLayout(17, cfg.weight_bus))
        positions = Signal(data.ArrayLayout(position, cfg.weight_bus))
        middle_valid, middle_ready = Signal(), Signal()

        m.d.comb += [
            middle_ready.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq((~middle_valid | middle_ready) & ~self.error),
        ]
        take = Signal()
        m.d.comb += take.eq(self.i.valid & self.i.ready)
        with m.If(self.i.ready):
            m.d.sync += [middle_valid.eq(self.i.valid), middle.eq(self.i.p),
                         channels.eq(self._channels(m)), positions.eq(self._positions(m, take))]
        with m.If(middle_ready):
            m.d.sync += [self.o.valid.eq(middle_valid & ~self.error),
                         self.o.p.line.target.eq(middle.target),
                         self.o.p.line.end_group.eq(middle.end_group),
                         self.o.p.end_section.eq(middle.end_section)]
            self._offsets(m, middle, channels, positions, middle_valid)
        self._check(m, take)
        return m

    def _elements(self, slot):
        return data.View(data.ArrayLayout(element_layout(self.cfg), self.cfg.slot_elements), slot)

    def _channels(self, m):
        """Channel of each slot: the steps added up."""
        line, out = self.i.p, []
        channel = line.channel
        for n in range(self.cfg.weight_bus):
            total = Signal(17, name=f"channel_{n}")
            m.d.comb += total.eq(channel + line.headers[n].step)
            out.append(total)
            channel = total
        return Cat(out)

    def _positions(self, m, take):
        """Each element's position in its block, which goes on from slot to slot, line to line."""
        cfg, line, out = self.cfg, self.i.p, []
        carry = Signal(16)
        start = carry
        for n in range(cfg.weight_bus):
            header, elements = line.headers[n], self._elements(line.slots[n])
            begin = Signal(16, name=f"begin_{n}")
            m.d.comb += begin.eq(Mux(header.first, 0, start))
            for e in range(cfg.slot_elements):
                runs = adder_tree([elements[i].run for i in range(e + 1)])
                here = Signal(16, name=f"position_{n}_{e}")
                m.d.comb += here.eq(begin + runs + e)
                out.append(here)
            end = Signal(16, name=f"end_{n}")
            last = out[-1 - (cfg.slot_elements - cfg.mults_f)]
            m.d.comb += end.eq(Mux(header.kind == SlotKind.WEIGHT, last + 1, start))
            start = end
        with m.If(take):
            m.d.sync += carry.eq(start)
        return Cat(out)

    def _offsets(self, m, middle, channels, positions, valid):
        cfg, lay = self.cfg, self.layer
        bounds, gaps = self._kernel_rows(m)
        size = Signal(16)
        m.d.comb += size.eq(lay.kernel_rows * lay.kernel_row)
        outside = []
        for n in range(cfg.weight_bus):
            header, elements = middle.headers[n], self._elements(middle.slots[n])
            slot = self.o.p.line.slots[n]
            weight = Signal(name=f"weight_{n}")
            m.d.comb += weight.eq(header.kind == SlotKind.WEIGHT)
            m.d.sync += [slot.kind.eq(header.kind), slot.first.eq(header.first),
                         slot.last.eq(header.last), slot.channel.eq(channels[n])]
            outside.append((header.kind != SlotKind.EMPTY) & (header.kind != SlotKind.BIAS)
                           & (channels[n] >= cfg.max_channels))
            for e in range(cfg.slot_elements):
                position = positions[n][e]
                gap = Const(0, 16)
                for bound, value in zip(bounds, gaps, strict=True):
                    gap = Mux(position >= bound, value, gap)
                m.d.sync += [
                    slot.elements[e].value.eq(elements[e].value),
                    slot.elements[e].offset.eq(Mux(weight, position + gap, elements[e].run)),
                ]
                if e < cfg.mults_f:
                    outside.append(weight & elements[e].value.any() & (position >= size))
        with m.If(valid & Cat(outside).any()):
            m.d.sync += self.error.eq(1)

    def _kernel_rows(self, m):
        """Where the kernel rows above the first begin, and the gaps before each."""
        bounds, gaps = [], []
        bound, gap = Const(0, 16), Const(0, 16)
        for j in range(1, self.cfg.max_kernel):
            at, skipped = Signal(16, name=f"bound_{j}"), Signal(16, name=f"gap_{j}")
            m.d.comb += [at.eq(bound + self.layer.kernel_row),
                         skipped.eq(gap + self.layer.kernel_gap)]
            bounds.append(at)
            gaps.append(skipped)
            bound, gap = at, skipped
        return bounds, gaps

    def _check(self, m, take):
        """Sections, openings and closings of blocks, and their length in lines."""
        cfg, line = self.cfg, self.i.p
        groups = Signal(16)
        loading, open_, span = Signal(), Signal(), Signal(range(cfg.fifo_lines + 2))
        bad = []
        now = open_
        began = Const(0)
        for n in range(cfg.weight_bus):
            header = line.headers[n]
            weight = Signal(name=f"is_weight_{n}")
            after = Signal(name=f"open_{n}")
            m.d.comb += [
                weight.eq(header.kind == SlotKind.WEIGHT),
                after.eq(Mux(weight, ~header.last, now)),
            ]
            bad += [weight & (header.first == now),
                    (header.kind == SlotKind.ROW) & ~loading,
                    (weight | (header.kind == SlotKind.BIAS)) & loading]
            began = began | (weight & header.first)
            now = after
        bad += [line.end_group & (now | loading), line.end_section & ~loading,
                open_ & (span >= cfg.fifo_lines)]
        with m.If(take):
            m.d.sync += [open_.eq(now), span.eq(Mux(began, 1, span + open_))]
            with m.If(Cat(bad).any()):
                m.d.sync += self.error.eq(1)
            with m.If(line.end_section):
                m.d.sync += loading.eq(0)
            m.d.sync += groups.eq(groups + line.end_group)
        with m.If(self.start):
            m.d.sync += [loading.eq(self.layer.load), open_.eq(0), groups.eq(0)]
        self._count(m, take, groups)

    def _count(self, m, take, groups):
        lay, lines, promised = self.layer, Signal(33), Signal(33)
        m.d.comb += [promised.eq(lay.weight_lines + Mux(lay.load, lay.load_lines, 0)),
                     self.complete.eq(lines == promised)]
        with m.If(self.start):
            m.d.sync += lines.eq(0)
        with m.Elif(take):
            m.d.sync += lines.eq(lines + 1)
        # Only right after the last line: later the next descriptor comes in, beat by beat.
        took = Signal()
        m.d.sync += took.eq(take)
        with m.If(took & self.complete & (groups != lay.groups)):
            m.d.sync += self.error.eq(1)
