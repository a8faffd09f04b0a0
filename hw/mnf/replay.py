# Ref: Yu et al., "Multiply-and-Fire", Section 5: events out of local SRAM, once per pass.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.stream.arbiter import lowest
from hw.common.stream.fifo import FIFO

from .bank import stored_layout
from .fields import pixels_per_line
from .layouts import pixel_layout, pixel_line_layout

DEPTH = 4


class Replay(wiring.Component):
    """The pixels of a pass: rows of the banks in turn, then lines from memory.

    The banks of a row take turns: what different PEs fired comes mixed, so that no convolution
    group of the next layer waits for another one's pixels.
    A row takes two cycles (ROW, COUNT) and one for each of its pixels; a line one for each of its
    pixels, the first in the cycle after it was taken; all while the FIFO at the end has room.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    start : In(1)
    banks : In(1)
        Rows ``first_row`` to ``last_row`` of the banks come first.
    first_row, last_row, row_events, lines : In
        Held until ``done``; ``lines`` is how many come from memory.
    row, count, read, address, word
        Of the banks.
    line : In(stream.Signature(pixel_line_layout(cfg)))
    o : Out(stream.Signature(pixel_layout(cfg)))
    done : Out(1)
        Every pixel has left.
    wrong : Out(1)
        A line with more pixels than there are places.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        count = range(cfg.storage_events + 1)
        super().__init__({
            "start": In(1), "banks": In(1), "first_row": In(cfg.coord_bits),
            "last_row": In(cfg.coord_bits), "row_events": In(count), "lines": In(32),
            "row": Out(cfg.coord_bits), "count": In(count).array(cfg.ports),
            "read": Out(1), "address": Out(range(cfg.storage_events)),
            "word": In(stored_layout(cfg)).array(cfg.ports),
            "line": In(stream.Signature(pixel_line_layout(cfg))),
            "o": Out(stream.Signature(pixel_layout(cfg))), "done": Out(1), "wrong": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.queue = queue = FIFO(pixel_layout(cfg), DEPTH)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        line, idle = Signal(pixel_line_layout(cfg)), Signal()
        lines = Signal(32)
        base = Signal(range(cfg.storage_events))
        self.counts = [Signal.like(count, name=f"count_{n}") for n, count in enumerate(self.count)]
        self.waiting = Signal(cfg.ports)        # banks that have a word at `at`
        some = Cat(count.any() for count in self.count)
        came = self._came(m, queue)
        m.d.comb += [self.done.eq(idle & ~queue.o.valid & ~line.count.any() & ~came),
                     self.address.eq(base + self.at)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += idle.eq(~self.start)
                with m.If(self.start):
                    m.d.sync += [self.row.eq(self.first_row), lines.eq(self.lines)]
                    with m.If(self.banks & (self.first_row <= self.last_row)):
                        m.next = "ROW"
                    with m.Elif(self.lines.any()):
                        m.next = "LINES"
            with m.State("ROW"):
                m.d.sync += base.eq(self.row * self.row_events)
                m.next = "COUNT"
            with m.State("COUNT"):
                m.d.sync += [own.eq(count)
                             for own, count in zip(self.counts, self.count, strict=True)]
                m.d.sync += [self.at.eq(0), self.waiting.eq(some)]
                with m.If(some.any()):
                    m.next = "READ"
                with m.Else():
                    self._next_row(m, lines)
            with m.State("READ"):
                self._read(m, queue, lines)
            with m.State("LINES"):
                m.d.comb += self.line.ready.eq(~line.count.any()
                                               | ((line.count == 1) & queue.i.ready))
                with m.If(self.line.valid & self.line.ready):
                    m.d.sync += lines.eq(lines - 1)
                    with m.If(lines == 1):
                        m.next = "IDLE"
        self._unpack(m, queue, line)
        return m

    def _came(self, m, queue):
        """A word of the cycle before into the queue; returns whether there is one."""
        cfg = self.cfg
        self.at = Signal(range(cfg.storage_events + 1))
        self.came, self.source = Signal(), Signal(cfg.ports)
        self.came_row = Signal(cfg.coord_bits)
        word = Signal(stored_layout(cfg))
        m.d.sync += [self.came.eq(self.read), self.came_row.eq(self.row)]
        for n in range(cfg.ports):
            with m.If(self.source[n]):
                m.d.comb += word.eq(self.word[n])
        with m.If(self.came):
            m.d.comb += [queue.i.valid.eq(1), queue.i.p.y.eq(self.came_row),
                         *(queue.i.p[name].eq(word[name]) for name in stored_layout(cfg).members)]
        return self.came

    def _read(self, m, queue, lines):
        """A word: the banks in turn, as long as they have one left."""
        own, rest = Signal(self.cfg.ports), Signal(self.cfg.ports)
        more = Cat(self.at + 1 < count for count in self.counts)
        m.d.comb += [
            own.eq(lowest(self.waiting)), rest.eq(self.waiting & ~own),
            self.read.eq(queue.level + self.came < DEPTH),
        ]
        with m.If(self.read):
            m.d.sync += [self.source.eq(own), self.waiting.eq(rest)]
            with m.If(~rest.any()):
                m.d.sync += [self.at.eq(self.at + 1), self.waiting.eq(more)]
                with m.If(~more.any()):
                    self._next_row(m, lines)

    def _next_row(self, m, lines):
        m.d.sync += self.row.eq(self.row + 1)
        with m.If(self.row != self.last_row):
            m.next = "ROW"
        with m.Elif(lines.any()):
            m.next = "LINES"
        with m.Else():
            m.next = "IDLE"

    def _unpack(self, m, queue, line):
        size = len(queue.i.payload.as_value())
        most = pixels_per_line(self.cfg)
        m.d.comb += self.wrong.eq(self.line.valid & self.line.ready & (self.line.p.count > most))
        with m.If(line.count.any()):
            m.d.comb += [queue.i.valid.eq(1), queue.i.payload.eq(line.pixels[0])]
            with m.If(queue.i.ready):
                m.d.sync += [line.count.eq(line.count - 1), Value.cast(line.pixels).eq(
                    Value.cast(line.pixels)[size:])]
        with m.If(self.line.valid & self.line.ready):
            m.d.sync += line.eq(self.line.payload)
