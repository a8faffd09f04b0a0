# Ref: Yang et al., "S2 Engine", Fig. 4: feature buffer (FB), weight buffer (WB).
from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.check import require
from hw.common.select import select
from hw.common.stream.fifo import FIFO

from .layouts import feature_layout, weight_layout

SECTIONS = 4        # that wait in a bank
AHEAD = 4           # tokens that are read and not taken


class FlowError(enum.Enum, shape=2):
    """What is wrong with a flow; held until reset."""

    NONE = 0
    ORDER = 1       # offsets that do not ascend, a lone half, a placeholder beside other tokens
    GROUP = 2       # a group that does not end where it must
    KERNEL = 3      # EOK where no kernel ends, a section of too many or too few groups


def bank_line_layout(shape, tokens):
    """Tokens of a line; ``last`` is the index of the last one. ``close``: the line ends its group;
    ``end``: and the section."""
    return data.StructLayout({"tokens": data.ArrayLayout(shape, tokens), "last": range(tokens),
                              "close": 1, "end": 1})


class FlowCheck(wiring.Component):
    """Judges the tokens of one flow as they enter a bank; combinational but for what came before.

    Parameters
    ----------
    cfg : StationaryConfig
    weights : bool

    Members
    -------
    token : In
    take : In(1)
        The token enters.
    line_end, close, end : In(1)
        It is the last one of its line; which ends the group, the section.
    groups, kernels : In
        Groups of a kernel, kernels of a section; constant. Weights only.
    error : Out(FlowError)
        Of the tokens that entered until the cycle before; the first one stays.
    """

    def __init__(self, cfg, weights):
        self.cfg, self.weights = cfg, weights
        super().__init__({
            "token": In((weight_layout if weights else feature_layout)(cfg)),
            "take": In(1),
            "line_end": In(1),
            "close": In(1),
            "end": In(1),
            "groups": In(24),
            "kernels": In(16),
            "error": Out(FlowError),
        })

    def elaborate(self, platform):
        m = Module()
        token, begins = self.token, Signal(init=1)
        offset, low = Signal(self.cfg.offset_bits), Signal()
        tag = token.tag if self.cfg.mixed else Const(0)
        order, group, kernel = Signal(), Signal(), Signal()
        if self.cfg.naive:      # every channel, one after the other
            m.d.comb += order.eq(token.offset != Mux(begins, 0, offset + 1))
        else:
            m.d.comb += order.eq((token.offset > self.cfg.group - 1)
                                 | (low & (~tag | (token.offset != offset)))
                                 | (~begins & ~low & (token.offset <= offset))
                                 | (tag & ~low & token.eog)
                                 | (~tag & (token.value == 0) & (~begins | ~token.eog)))
        m.d.comb += group.eq(self.line_end & ~token.eog & (self.close | self.end))
        if self.weights:
            count, number = Signal(24), Signal(16)      # of the group, of the kernel
            whole, final = Signal(), Signal()           # a kernel ends, and the section with it
            m.d.comb += [whole.eq(token.eog & (count + 1 == self.groups)),
                         final.eq(whole & (number + 1 == self.kernels)),
                         kernel.eq((token.eok != whole) | ((self.line_end & self.end) != final))]
            with m.If(self.take & token.eog):
                m.d.sync += count.eq(Mux(whole, 0, count + 1))
            with m.If(self.take & whole):
                m.d.sync += number.eq(Mux(final, 0, number + 1))
        with m.If(self.take):
            m.d.sync += [begins.eq(token.eog), offset.eq(token.offset), low.eq(tag & ~low)]
            with m.If(self.error == FlowError.NONE):
                m.d.sync += self.error.eq(Mux(order, FlowError.ORDER, Mux(
                    group, FlowError.GROUP, Mux(kernel, FlowError.KERNEL, FlowError.NONE))))
        return m


class Bank(wiring.Component):
    """A bank of FB or WB: a ring of tokens, whose sections are read several times.

    Lines come in, their tokens are written one per cycle, and read one per cycle from the cycle
    after that on. A section is read ``replays`` times, without a gap, and released by the last
    time; the next ones are written meanwhile, as far as there is room. If read twice it must fit.
    With m counting tokens written, x tokens read (cycles; ``taken``: at ``o``):

        WR(m) = max(WR(m-1) + 1, line taken + 1, RD(the last read of m - depth) + 1),
                and a section's last token after the release of the section SECTIONS before
        RD(x) = max(RD(x-1) + 1, WR(its m) + 1, taken(x - AHEAD) + 1);  at ``o`` from RD(x) + 2 on

    A line is taken if the line register is empty or its last token is written in this cycle.

    Parameters
    ----------
    cfg : StationaryConfig
    weights : bool
        WB; else FB.

    Members
    -------
    i : In(stream.Signature(bank_line_layout(...)))
    o : Out(stream.Signature(weight_layout(cfg) or feature_layout(cfg)))
    replays : In(24)
        How often each section is read, at least 1; constant.
    groups, kernels : In
        Groups of a kernel, kernels of a section; constant. For the check of weights.
    empty : Out(1)
        Nothing is inside.
    error : Out(FlowError)
    """

    def __init__(self, cfg, weights):
        self.cfg, self.weights = cfg, weights
        self.shape = (weight_layout if weights else feature_layout)(cfg)
        self.depth = cfg.wb_tokens if weights else cfg.fb_tokens
        self.tokens = cfg.weights_per_line if weights else cfg.group
        require(self, self.depth >= 2, f"a bank holds at least 2 tokens, not {self.depth}")
        super().__init__({
            "i": In(stream.Signature(bank_line_layout(self.shape, self.tokens))),
            "o": Out(stream.Signature(self.shape)),
            "replays": In(24),
            "groups": In(24),
            "kernels": In(16),
            "empty": Out(1),
            "error": Out(FlowError),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = Memory(shape=self.shape, depth=self.depth, init=[])
        m.submodules.sections = sections = FIFO(range(self.depth), SECTIONS)    # their last rows
        m.submodules.out = out = FIFO(self.shape, AHEAD)
        wiring.connect(m, out.o, wiring.flipped(self.o))
        level = Signal(range(self.depth + 1))       # tokens held
        unread = Signal.like(level)                 # ... that this time round are still to be read
        write, issue, release, again = Signal(), Signal(), Signal(), Signal()
        held = Signal.like(level)
        m.d.comb += held.eq(level + write - release)
        m.d.sync += [level.eq(held), unread.eq(Mux(again, held, unread + write - issue))]
        full = self._write(m, ring, sections, write, level)
        self._read(m, ring, sections, unread, issue, release, again)

        # A token is at the memory's output a cycle after its issue, and in `out` a cycle later.
        issued, ahead = Signal(), Signal(range(AHEAD + 1))
        m.d.sync += [issued.eq(issue), ahead.eq(ahead + issue - (self.o.valid & self.o.ready))]
        m.d.comb += [
            issue.eq((unread != 0) & (ahead != AHEAD)),
            self.empty.eq((level == 0) & (ahead == 0) & ~full),
            out.i.valid.eq(issued), out.i.payload.eq(ring.read_ports[0].data),
        ]
        return m

    def _write(self, m, ring, sections, write, level):
        """The line register, and its tokens into the ring one by one. Returns: it is full."""
        line, full = Signal(self.i.p.shape()), Signal()
        index, final = Signal(range(self.tokens)), Signal()
        tail = Signal(range(self.depth))
        port = ring.write_port()
        token = select([Value.cast(line.tokens[n]) for n in range(self.tokens)], index)
        m.d.comb += [
            final.eq(index == line.last),
            sections.i.payload.eq(tail), sections.i.valid.eq(write & final & line.end),
            write.eq(full & (level != self.depth)
                     & (~(final & line.end) | sections.i.ready)),
            port.addr.eq(tail), port.data.eq(token), port.en.eq(write),
            self.i.ready.eq(~full | (write & final)),
        ]
        with m.If(write):
            m.d.sync += [index.eq(Mux(final, 0, index + 1)), tail.eq(self._after(tail))]
        with m.If(self.i.ready):
            m.d.sync += [full.eq(self.i.valid), line.eq(self.i.payload)]

        m.submodules.check = check = FlowCheck(self.cfg, self.weights)
        m.d.comb += [
            Value.cast(check.token).eq(token), check.take.eq(write), check.line_end.eq(final),
            check.close.eq(line.close), check.end.eq(line.end), check.groups.eq(self.groups),
            check.kernels.eq(self.kernels), self.error.eq(check.error),
        ]
        return full

    def _read(self, m, ring, sections, unread, issue, release, again):
        """A section from its first row to its last, `replays` times."""
        head, start = Signal(range(self.depth)), Signal(range(self.depth))
        replay, final, ends = Signal(24), Signal(), Signal()
        port = ring.read_port()
        m.d.comb += [
            final.eq(replay == self.replays - 1),
            ends.eq(issue & sections.o.valid & (head == sections.o.payload)),
            again.eq(ends & ~final), release.eq(issue & final),
            sections.o.ready.eq(ends & final),
            port.addr.eq(head), port.en.eq(issue),
        ]
        with m.If(issue):
            m.d.sync += head.eq(Mux(again, start, self._after(head)))
        with m.If(ends):
            m.d.sync += replay.eq(Mux(final, 0, replay + 1))
            with m.If(final):
                m.d.sync += start.eq(self._after(head))

    def _after(self, row):
        return Mux(row == self.depth - 1, 0, row + 1)
