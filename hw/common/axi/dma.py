"""DMA between streams and an AXI4 master port: `Reader` and `Writer`.

Both take commands {address, beats} on a stream, in order, cut them into INCR bursts of whole beats
that never cross 4 KiB, refuse what is not aligned or leaves the window, and stop issuing at the
first error. Cycle numbers below: a register "loads in cycle t" at the edge that ends t; its value
is seen in t + 1. ``golden/axi.py`` predicts both to the cycle.
"""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.errors import ErrorCode
from hw.common.axi.lines import beat_layout
from hw.common.axi.signature import INCR, PAGE, AXI4Signature, check_data_bits
from hw.common.stream.fifo import FIFO


def command_layout(addr_bits, beats_bits):
    """A transfer: its first byte's address (a multiple of the beat) and its length in beats."""
    return data.StructLayout({"address": addr_bits, "beats": beats_bits})


def window_layout(addr_bits):
    """The bytes [base, base + size) that may be touched; up to all of them."""
    return data.StructLayout({"base": addr_bits, "size": addr_bits + 1})


def done_layout(beats_bits):
    """``valid`` for one cycle per written region, with its number of beats."""
    return data.StructLayout({"valid": 1, "beats": beats_bits})


def error_layout():
    """``valid`` rises with the first error and stays, with its ``code``, until reset."""
    return data.StructLayout({"valid": 1, "code": 8})


def check_burst(data_bits, max_burst, outstanding, buffer):
    """Raise ValueError unless a DMA can issue such bursts."""
    check_data_bits(data_bits)
    limit = min(256, PAGE * 8 // data_bits)
    if not 1 <= max_burst <= limit:
        raise ValueError(f"max_burst must be 1 to {limit} at {data_bits} bits, not {max_burst}")
    if outstanding < 1:
        raise ValueError(f"outstanding must be at least 1, not {outstanding}")
    if buffer < max_burst:
        raise ValueError(f"buffer must be at least max_burst ({max_burst}), not {buffer}")


class CommandCheck(wiring.Component):
    """One register on the way of commands that lets only good ones through.

    A command taken in cycle t is offered (or found bad) in t + 1; one command per cycle.

    Parameters
    ----------
    addr_bits, data_bits, beats_bits : int

    Members
    -------
    i : In(stream.Signature(command_layout))
    o : Out(stream.Signature(command_layout))
    window : In(window_layout)
        Stable while commands are in flight.
    misaligned, outside : Out(1)
        The command that waits is bad; it stays, and nothing more is taken, until reset.
    """
    def __init__(self, addr_bits, data_bits, beats_bits):
        self.addr_bits, self.data_bits, self.beats_bits = addr_bits, data_bits, beats_bits
        layout = command_layout(addr_bits, beats_bits)
        self.full, self.command = Signal(), Signal(layout)      # the command that is checked
        super().__init__({
            "i": In(stream.Signature(layout)),
            "o": Out(stream.Signature(layout)),
            "window": In(window_layout(addr_bits)),
            "misaligned": Out(1),
            "outside": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        beat_bytes = self.data_bits // 8
        full, command = self.full, self.command
        end = Signal(max(self.addr_bits, self.beats_bits + beat_bytes.bit_length()) + 1)
        limit, unaligned, inside = Signal(self.addr_bits + 2), Signal(), Signal()
        m.d.comb += [
            end.eq(command.address + command.beats * beat_bytes),
            limit.eq(self.window.base + self.window.size),
            unaligned.eq(command.address[:beat_bytes.bit_length() - 1].any()),
            inside.eq((command.address >= self.window.base) & (end <= limit)
                      & (end <= 1 << self.addr_bits)),
            self.misaligned.eq(full & unaligned),
            self.outside.eq(full & ~unaligned & ~inside),
            self.o.valid.eq(full & ~unaligned & inside),
            self.o.payload.eq(command),
            self.i.ready.eq(~full | (self.o.valid & self.o.ready)),
        ]
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid)
            with m.If(self.i.valid):
                m.d.sync += command.eq(self.i.payload)
        return m


class _Master(wiring.Component):
    """What `Reader` and `Writer` share: parameters, the checked command, the first error."""
    def __init__(self, members, addr_bits, data_bits, beats_bits, max_burst, outstanding, buffer):
        check_burst(data_bits, max_burst, outstanding, buffer)
        self.addr_bits, self.data_bits, self.beats_bits = addr_bits, data_bits, beats_bits
        self.max_burst, self.outstanding, self.buffer = max_burst, outstanding, buffer
        self.beat_bytes = data_bits // 8
        self.page_beats = PAGE // self.beat_bytes
        super().__init__(members | {
            "command": In(stream.Signature(command_layout(addr_bits, beats_bits))),
            "window": In(window_layout(addr_bits)),
            "stop": In(1),
            "idle": Out(1),
            "quiet": Out(1),
            "error": Out(error_layout()),
        })

    def _beat_index(self, address):
        """Which beat of its page an address is."""
        shift = self.beat_bytes.bit_length() - 1
        return address[shift:shift + self.page_beats.bit_length() - 1]

    def _checked_command(self, m, may_fail, misaligned, outside):
        """The stream of good commands; a bad one raises the error once ``may_fail``."""
        m.submodules.check = check = CommandCheck(self.addr_bits, self.data_bits, self.beats_bits)
        wiring.connect(m, wiring.flipped(self.command), check.i)
        m.d.comb += check.window.eq(self.window)
        self._fail(m, check.outside & may_fail, outside)
        self._fail(m, check.misaligned & may_fail, misaligned)
        return check

    def _fail(self, m, condition, code):
        """Of errors in one cycle the last described wins."""
        with m.If(condition & ~self.error.valid):
            m.d.sync += [self.error.valid.eq(1), self.error.code.eq(code)]

    def _constants(self, channel):
        size = (self.data_bits // 8).bit_length() - 1
        return [channel.payload.id.eq(0), channel.payload.size.eq(size),
                channel.payload.burst.eq(INCR), channel.payload.cache.eq(0b0011),
                channel.payload.prot.eq(0)]


class Reader(_Master):
    """Reads memory into a stream.

    A command taken in cycle t issues its first burst in t + 2 (AR is valid from t + 3), then one
    burst per cycle while AR is free (or taken in that cycle), fewer than ``outstanding`` bursts
    lack their last beat, and the buffer has room for the whole burst beside all that was issued
    (a beat frees its room the cycle after it leaves). So R is taken always. A beat on R in cycle t
    is at ``data`` in t + 1. One beat per cycle sustained, across commands too, if
    ``outstanding * max_burst`` and ``buffer`` cover the latency + 5.

    Errors, in ``error.code``: READ_SLVERR, READ_DECERR (no beat from the bad one on is given),
    READ_WINDOW, READ_MISALIGNED (once all bursts before it are issued; nothing of the command is
    read). After an error, or while ``stop`` is high, nothing is issued; ``quiet`` says when the
    bus is at rest. A command of 0 beats does nothing.

    Parameters
    ----------
    addr_bits, data_bits : int
        Of the bus.
    beats_bits : int
        Width of a command's length.
    max_burst : int
        Beats of a burst at most.
    outstanding : int
        Bursts in flight at most.
    buffer : int or None
        Beats held; None: ``outstanding * max_burst``.
    id_bits : int

    Members
    -------
    command : In(stream.Signature(command_layout(addr_bits, beats_bits)))
    data : Out(stream.Signature(beat_layout(data_bits)))
        ``last`` with the last beat of each command.
    ar, r : the channels of AXI4Signature(addr_bits, data_bits, id_bits)
    window : In(window_layout(addr_bits))
    stop : In(1)
    idle : Out(1)
        No command, no burst, no beat is inside.
    quiet : Out(1)
        AR is not valid and no burst is in flight.
    error : Out(error_layout())
    """
    def __init__(self, addr_bits, data_bits, *, beats_bits=24, max_burst=16, outstanding=8,
                 buffer=None, id_bits=1):
        bus = AXI4Signature(addr_bits, data_bits, id_bits).members
        super().__init__({
            "data": Out(stream.Signature(beat_layout(data_bits))),
            "ar": bus["ar"],
            "r": bus["r"],
        }, addr_bits, data_bits, beats_bits, max_burst, outstanding,
            outstanding * max_burst if buffer is None else buffer)

    def elaborate(self, platform):
        m = Module()
        m.submodules.tags = tags = FIFO(1, self.outstanding)      # burst: the last of its command?
        m.submodules.beats = beats = FIFO(beat_layout(self.data_bits), self.buffer)
        self._issue(m, tags, beats)
        self._receive(m, tags, beats)
        return m

    def _issue(self, m, tags, beats):
        ar = self.ar
        active, issue, final, leaving = Signal(), Signal(), Signal(), Signal()
        address, left = Signal(self.addr_bits), Signal(self.beats_bits)
        to_page = Signal(range(self.page_beats + 1))
        burst = Signal(range(self.max_burst + 1))
        credit = Signal(range(self.buffer + 1), init=self.buffer)
        check = self._checked_command(m, leaving, ErrorCode.READ_MISALIGNED, ErrorCode.READ_WINDOW)
        m.d.comb += [
            to_page.eq(self.page_beats - self._beat_index(address)),
            burst.eq(burst_beats(m, left, to_page, self.max_burst)),
            final.eq(left == burst),
            issue.eq(active & (credit >= burst) & tags.i.ready & (~ar.valid | ar.ready)
                     & ~self.stop & ~self.error.valid),
            leaving.eq(~active | (issue & final)),
            check.o.ready.eq(leaving),
            tags.i.valid.eq(issue),
            tags.i.payload.eq(final),
            self.idle.eq(~active & check.i.ready & ~check.o.valid & ~tags.o.valid
                         & ~beats.o.valid),
            self.quiet.eq(~tags.o.valid),
        ]
        m.d.comb += self._constants(ar)
        with m.If(~ar.valid | ar.ready):
            m.d.sync += ar.valid.eq(issue)
        with m.If(issue):
            m.d.sync += [ar.payload.addr.eq(address), ar.payload.len.eq(burst - 1),
                         address.eq(address + burst * self.beat_bytes), left.eq(left - burst)]
        with m.If(leaving):
            m.d.sync += active.eq(check.o.valid & (check.o.p.beats != 0))
            with m.If(check.o.valid):
                m.d.sync += [address.eq(check.o.p.address), left.eq(check.o.p.beats)]
        m.d.sync += credit.eq(credit - Mux(issue, burst, 0) + (beats.o.valid & beats.o.ready))

    def _receive(self, m, tags, beats):
        r, bad = self.r, Signal()
        m.d.comb += [
            r.ready.eq(1),
            bad.eq(r.payload.resp[1]),
            tags.o.ready.eq(r.valid & r.payload.last),
            beats.i.valid.eq(r.valid & ~bad & ~self.error.valid),
            beats.i.p.data.eq(r.payload.data),
            beats.i.p.last.eq(r.payload.last & tags.o.payload),
        ]
        wiring.connect(m, beats.o, wiring.flipped(self.data))
        self._fail(m, r.valid & bad,
                   Mux(r.payload.resp[0], ErrorCode.READ_DECERR, ErrorCode.READ_SLVERR))


class Writer(_Master):
    """Writes a stream into regions of memory.

    A command gives a region {address, beats}; the beats of the stream up to its next ``last`` go
    there, in order, and may be fewer. Regions follow each other without a gap. Of a command taken
    in cycle t the first beat can be taken in t + 2. A beat that completes a burst (the region's or
    the stream's last, ``max_burst``, or a page's last), taken in cycle t, makes it issuable in
    t + 1; AW is valid, and W may be, from the cycle after its issue. One burst is issued per cycle
    while AW is free (or taken in that cycle) and fewer than ``outstanding`` lack their B. W gives
    one beat per cycle, never waits for data inside a burst; B is taken always.

    Errors, in ``error.code``: WRITE_SLVERR, WRITE_DECERR; WRITE_WINDOW, WRITE_MISALIGNED (when it
    is the region's turn); REGION_OVERFLOW (a beat beyond the region; it is not taken). After an
    error, or while ``stop`` is high, no burst is issued; those whose AW was valid get their beats,
    and ``quiet`` says when all have their B.

    Parameters
    ----------
    addr_bits, data_bits, beats_bits, max_burst, outstanding, id_bits : int
        As for `Reader`.
    buffer : int or None
        Beats held; None: ``2 * max_burst``.
    strobes : bool
        Beats say which of their bytes are written; else all are.

    Members
    -------
    command : In(stream.Signature(command_layout(addr_bits, beats_bits)))
    data : In(stream.Signature(beat_layout(data_bits, strobes)))
        ``last`` ends the region. Not ready without a region.
    done : Out(done_layout(beats_bits))
        For each region, in order, the beats written, in the cycle after its last B.
    aw, w, b : the channels of AXI4Signature(addr_bits, data_bits, id_bits)
    window : In(window_layout(addr_bits))
    stop : In(1)
    idle : Out(1)
        No region is open, no beat inside, no B missing, and ``done`` is not valid.
    quiet : Out(1)
        AW and W are not valid, no B is missing.
    error : Out(error_layout())
    """
    def __init__(self, addr_bits, data_bits, *, beats_bits=24, max_burst=16, outstanding=8,
                 buffer=None, id_bits=1, strobes=False):
        self.beat = beat_layout(data_bits, strobes)
        bus = AXI4Signature(addr_bits, data_bits, id_bits).members
        super().__init__({
            "data": In(stream.Signature(self.beat)),
            "done": Out(done_layout(beats_bits)),
            "aw": bus["aw"],
            "w": bus["w"],
            "b": bus["b"],
        }, addr_bits, data_bits, beats_bits, max_burst, outstanding,
            2 * max_burst if buffer is None else buffer)

    def _burst_layout(self):
        return data.StructLayout({"address": self.addr_bits, "len": 8, "final": 1,
                                  "total": self.beats_bits})

    def elaborate(self, platform):
        m = Module()
        tag = data.StructLayout({"final": 1, "total": self.beats_bits})
        m.submodules.beats = beats = FIFO(self.beat, self.buffer)
        m.submodules.bursts = bursts = FIFO(self._burst_layout(), self.outstanding)
        m.submodules.tags = tags = FIFO(tag, self.outstanding)    # bursts that lack their B
        active = Signal()
        check = self._take(m, active, beats, bursts)
        self._send(m, beats, bursts, tags)
        m.d.comb += [
            self.idle.eq(~active & check.i.ready & ~check.o.valid & ~bursts.o.valid
                         & ~tags.o.valid & ~self.done.valid),
            self.quiet.eq(~tags.o.valid),
        ]
        return m

    def _take(self, m, active, beats, bursts):
        """Beats into the buffer, with the marks of the bursts that they make up."""
        i = self.data
        address, left = Signal(self.addr_bits), Signal(self.beats_bits)    # of the next burst, beat
        total, held = Signal(self.beats_bits), Signal(range(self.max_burst))
        take, cut, leaving = Signal(), Signal(), Signal()
        check = self._checked_command(m, leaving, ErrorCode.WRITE_MISALIGNED,
                                      ErrorCode.WRITE_WINDOW)
        page_end = (self._beat_index(address) + held)[:self.page_beats.bit_length() - 1].all()
        m.d.comb += [
            i.ready.eq(active & (left != 0) & beats.i.ready & bursts.i.ready & ~self.error.valid),
            take.eq(i.valid & i.ready),
            cut.eq(i.p.last | (left == 1) | (held == self.max_burst - 1) | page_end),
            leaving.eq(~active | (take & i.p.last)),
            check.o.ready.eq(leaving),
            beats.i.valid.eq(take),
            beats.i.payload.eq(i.payload),
            beats.i.p.last.eq(cut),
            bursts.i.valid.eq(take & cut),
            bursts.i.p.eq(Cat(address, C(0, 8) | held, i.p.last, (total + 1)[:self.beats_bits])),
        ]
        self._fail(m, i.valid & active & (left == 0), ErrorCode.REGION_OVERFLOW)
        with m.If(take):
            m.d.sync += [left.eq(left - 1), total.eq(total + 1), held.eq(Mux(cut, 0, held + 1))]
            with m.If(cut):
                m.d.sync += address.eq(address + (held + 1) * self.beat_bytes)
        with m.If(leaving):
            m.d.sync += active.eq(check.o.valid)
            with m.If(check.o.valid):
                m.d.sync += [address.eq(check.o.p.address), left.eq(check.o.p.beats), total.eq(0)]
        return check

    def _send(self, m, beats, bursts, tags):
        aw, w, b = self.aw, self.w, self.b
        issue, ended = Signal(), Signal()
        begun = Signal(range(self.outstanding + 1))      # bursts issued whose beats are not out
        m.d.comb += [
            issue.eq(bursts.o.valid & tags.i.ready & (~aw.valid | aw.ready)
                     & ~self.stop & ~self.error.valid),
            bursts.o.ready.eq(issue),
            tags.i.valid.eq(issue),
            tags.i.p.final.eq(bursts.o.p.final),
            tags.i.p.total.eq(bursts.o.p.total),
            w.valid.eq((begun != 0) & beats.o.valid),
            w.payload.data.eq(beats.o.p.data),
            w.payload.strb.eq(beats.o.p.strb if "strb" in self.beat.members else ~0),
            w.payload.last.eq(beats.o.p.last),
            beats.o.ready.eq((begun != 0) & w.ready),
            ended.eq(w.valid & w.ready & w.payload.last),
            b.ready.eq(1),
            tags.o.ready.eq(b.valid),
        ]
        m.d.comb += self._constants(aw)
        with m.If(~aw.valid | aw.ready):
            m.d.sync += aw.valid.eq(issue)
        with m.If(issue):
            m.d.sync += [aw.payload.addr.eq(bursts.o.p.address), aw.payload.len.eq(bursts.o.p.len)]
        m.d.sync += [
            begun.eq(begun + issue - ended),
            self.done.valid.eq(b.valid & tags.o.p.final),
            self.done.beats.eq(tags.o.p.total),
        ]
        self._fail(m, b.valid & b.payload.resp[1],
                   Mux(b.payload.resp[0], ErrorCode.WRITE_DECERR, ErrorCode.WRITE_SLVERR))


def burst_beats(m, left, to_page, most):
    """Beats of the next burst: what is left of the transfer, of the page, of a burst at most.

    The two small ones are compared first: no comparison is as wide as ``left`` but one.
    """
    room = Signal(range(most + 1))
    m.d.comb += room.eq(Mux(to_page < most, to_page, most))
    return Mux(left < room, left, room)
