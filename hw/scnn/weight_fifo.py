"""The weight FIFO of a PE: keeps the lines that this PE wants, lets blocks recirculate.

Ref: Parashar et al., "SCNN", ISCA 2017, Section IV, Fig. 6, Table II: weight FIFO. Biases and rows
of activations come the same way.
"""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.select import select_bit

from .layouts import (
    TARGET_ALL,
    SlotKind,
    announcement_layout,
    decoded_line_layout,
    decoded_slot_layout,
    weight_layout,
)


def fifo_slot_layout(cfg):
    """A slot leaving the FIFO; ``end_group``: nothing wanted follows it in an end_group line.

    Kind EMPTY only for an end_group line in which nothing is wanted; its other fields then mean
    nothing.
    """
    return data.StructLayout({"end_group": 1, **decoded_slot_layout(cfg).members})


def _header_layout(cfg):
    """What a stored line is, its elements aside."""
    slot = data.StructLayout({"wanted": 1, "kind": SlotKind, "first": 1, "last": 1,
                              "channel": cfg.channel_bits})
    return data.StructLayout({"end_group": 1, "slots": data.ArrayLayout(slot, cfg.weight_bus)})


class WeightFIFO(wiring.Component):
    """Stores wanted lines, scans them for new blocks and delivers their slots, blocks repeatedly.

    A slot is wanted if the line's target is this PE or all, and its kind is BIAS or ROW, or WEIGHT
    of a channel in ``bitmap``. A line is stored if a slot of it is wanted or it has ``end_group``;
    any other is taken at once and dropped, even when the FIFO is full. This is looked up when the
    line is announced, so that ``i.ready`` comes from registers alone.

    Throughput: one line in, one block scanned, one slot out per cycle. Latency: a line taken in
    cycle t is scanned and delivered from t + 1 on. ``scan``: a line without first slots to scan
    costs one cycle, but the step from a line's last one to the next line costs nothing. ``slot``:
    slots that are not wanted cost nothing; an end_group line with nothing wanted costs one cycle.

    A WEIGHT block recirculates: after its slot with ``last`` comes its slot with ``first`` again,
    unless ``last_pass`` is high in the cycle in which the former is taken. A line is released when
    its last wanted slot is taken: in a block's last pass only, if that slot is of a WEIGHT block.

    Blocks must be whole, scanned before their first slot is taken, and no longer than the FIFO's
    lines (see README); ``last_pass`` must be the same for all slots of a pass. ``bitmap`` must hold
    from a WEIGHT line's announcement on.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    pe_index : In(16)
    bitmap : In(max_channels)
        Channels of which this PE has activations.
    announce : In(announcement_layout(cfg))
        The line that ``i`` offers from the next cycle on, if ``valid``.
    i : In(stream.Signature(decoded_line_layout(cfg)))
    scan : Out(stream.Signature({"channel": channel_bits}))
        The channel of each wanted WEIGHT block, in order, once.
    slot : Out(stream.Signature(fifo_slot_layout(cfg)))
        Wanted slots in order. For a slot of a WEIGHT block ``end_group`` counts in the last pass.
    last_pass : In(1)
        The pass of the WEIGHT slot being taken is the block's last. No path from here to ``slot``.
    empty : Out(1)
        No line is stored.
    """
    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "pe_index": In(16),
            "bitmap": In(cfg.max_channels),
            "announce": In(announcement_layout(cfg)),
            "i": In(stream.Signature(decoded_line_layout(cfg))),
            "scan": Out(stream.Signature(data.StructLayout({"channel": cfg.channel_bits}))),
            "slot": Out(stream.Signature(fifo_slot_layout(cfg))),
            "last_pass": In(1),
            "empty": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.headers = headers = Memory(
            shape=_header_layout(cfg), depth=cfg.fifo_lines, init=[])
        m.submodules.payload = payload = Memory(
            shape=data.ArrayLayout(data.ArrayLayout(weight_layout(cfg), cfg.slot_elements),
                                   cfg.weight_bus), depth=cfg.fifo_lines, init=[])
        level = Signal(range(cfg.fifo_lines + 1))   # lines not yet released
        push, release = Signal(), Signal()
        with m.If(push != release):
            m.d.sync += level.eq(Mux(push, level + 1, level - 1))
        m.d.comb += self.empty.eq(level == 0)
        self._store(m, headers.write_port(), payload.write_port(), level, push)
        self._scan(m, headers.read_port(domain="comb"), push)
        self._deliver(m, headers.read_port(domain="comb"), payload.read_port(domain="comb"),
                      level, release)
        return m

    def _after(self, line):
        return Mux(line == self.cfg.fifo_lines - 1, 0, line + 1)

    def _store(self, m, headers, payload, level, push):
        cfg, line = self.cfg, self.i.payload
        tail = Signal(range(cfg.fifo_lines))
        wanted, keep = self._wanted(m)
        for n in range(cfg.weight_bus):
            slot, header = line.slots[n], headers.data.slots[n]
            m.d.comb += [
                header.wanted.eq(wanted[n]), header.kind.eq(slot.kind), header.first.eq(slot.first),
                header.last.eq(slot.last), header.channel.eq(slot.channel),
                payload.data[n].eq(slot.elements),
            ]
        m.d.comb += [
            self.i.ready.eq(~keep | (level != cfg.fifo_lines)),
            push.eq(self.i.valid & keep & (level != cfg.fifo_lines)),
            headers.data.end_group.eq(line.end_group),
            headers.addr.eq(tail), headers.en.eq(push), payload.addr.eq(tail), payload.en.eq(push),
        ]
        with m.If(push):
            m.d.sync += tail.eq(self._after(tail))

    def _wanted(self, m):
        """Registers: which slots of the announced line are wanted, and whether to store it."""
        announce = self.announce
        wanted, keep = Signal(self.cfg.weight_bus), Signal()
        here, some = Signal(), Signal.like(wanted)
        m.d.comb += here.eq((announce.target == TARGET_ALL) | (announce.target == self.pe_index))
        for n, slot in enumerate(announce.slots):
            listed = select_bit(self.bitmap, slot.channel)
            m.d.comb += some[n].eq(here & (
                (slot.kind == SlotKind.BIAS) | (slot.kind == SlotKind.ROW)
                | ((slot.kind == SlotKind.WEIGHT) & listed)))
        with m.If(announce.valid):
            m.d.sync += [wanted.eq(some), keep.eq(some.any() | announce.end_group)]
        return wanted, keep

    def _scan(self, m, headers, push):
        cfg = self.cfg
        line = Signal(range(cfg.fifo_lines))        # being scanned
        ahead = Signal(range(cfg.fifo_lines + 1))   # stored lines from it on
        passed, firsts = Signal(cfg.weight_bus), Signal(cfg.weight_bus)
        rest, leave = Signal(cfg.weight_bus), Signal()
        m.d.comb += headers.addr.eq(line)
        for n in reversed(range(cfg.weight_bus)):
            slot = headers.data.slots[n]
            m.d.comb += firsts[n].eq(slot.wanted & slot.first & ~passed[n]
                                     & (slot.kind == SlotKind.WEIGHT))
            with m.If(firsts[n]):
                m.d.comb += self.scan.payload.channel.eq(slot.channel)
        m.d.comb += [
            self.scan.valid.eq((ahead != 0) & firsts.any()),
            rest.eq(firsts & (firsts - 1)),
            leave.eq((ahead != 0) & (~firsts.any() | (self.scan.ready & ~rest.any()))),
        ]
        with m.If(leave):
            m.d.sync += [line.eq(self._after(line)), passed.eq(0)]
        with m.Elif(self.scan.valid & self.scan.ready):
            m.d.sync += passed.eq(~rest)
        with m.If(push != leave):
            m.d.sync += ahead.eq(Mux(push, ahead + 1, ahead - 1))

    def _deliver(self, m, headers, payload, level, release):
        cfg, out = self.cfg, self.slot.payload
        oldest = Signal(range(cfg.fifo_lines))      # not yet released: a block begins in it
        line = Signal(range(cfg.fifo_lines))        # being read
        offset = Signal(range(cfg.fifo_lines + 1))  # of `line` from `oldest`
        passed, block = Signal(cfg.weight_bus), Signal(cfg.weight_bus)
        pending, rest = Signal(cfg.weight_bus), Signal(cfg.weight_bus)
        take, leave, again = Signal(), Signal(), Signal()
        m.d.comb += [headers.addr.eq(line), payload.addr.eq(line)]
        for n in reversed(range(cfg.weight_bus)):
            slot = headers.data.slots[n]
            m.d.comb += pending[n].eq(slot.wanted & ~passed[n])
            with m.If(pending[n]):
                m.d.comb += [out.kind.eq(slot.kind), out.first.eq(slot.first),
                             out.last.eq(slot.last), out.channel.eq(slot.channel),
                             out.elements.eq(payload.data[n])]
        weight = out.kind == SlotKind.WEIGHT
        m.d.comb += [
            rest.eq(pending & (pending - 1)),
            out.end_group.eq(headers.data.end_group & ~rest.any()),
            self.slot.valid.eq(offset != level),
            take.eq(self.slot.valid & self.slot.ready),
            again.eq(take & weight & out.last & ~self.last_pass),
            leave.eq(take & ~rest.any() & ~again),
            release.eq(leave & (~weight | self.last_pass)),
        ]
        with m.If(take & weight & out.first):
            m.d.sync += block.eq(passed)
        with m.If(again):                           # nothing was released in this pass
            m.d.sync += [line.eq(oldest), offset.eq(0),
                         passed.eq(Mux(out.first, passed, block))]
        with m.Elif(leave):
            m.d.sync += [line.eq(self._after(line)), passed.eq(0), offset.eq(offset + ~release)]
        with m.Elif(take):
            m.d.sync += passed.eq(~rest)
        with m.If(release):
            m.d.sync += oldest.eq(self._after(line))
