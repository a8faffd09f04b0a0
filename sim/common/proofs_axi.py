"""What is proven of the DMA and the shell: no burst outside the window, none against AXI's rules.

The memory is any that keeps to AXI: it answers what was asked, in order, when it likes.
"""
from dataclasses import replace

from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from hw.common.axi.errors import ErrorCode
from hw.common.axi.shell import Shell, engine_members
from hw.common.axi.signature import PAGE
from hw.common.stream.fifo import FIFO
from sim.common.formal import AnyConst, AnySeq, Scoreboard, fires, hold, streams

__all__ = ["AnyEngine", "any_shell", "command_check", "reader", "shell", "surroundings", "writer"]


def _stable_window(m, block):
    for name in ("base", "size"):
        value = getattr(block.window, name)
        m.d.comb += Assume(value == AnyConst(len(value)))


def _legal(m, block, channel):
    """Every burst offered on AR or AW is inside the window and one page, aligned, not too long."""
    size = Signal(range(PAGE + 1), name="burst_bytes")
    address = channel.payload.addr
    end, limit = address + size, block.window.base + block.window.size
    m.d.comb += size.eq((channel.payload.len + 1) * block.beat_bytes)
    with m.If(channel.valid):
        m.d.comb += [
            Assert(channel.payload.len < block.max_burst, "a burst is too long"),
            Assert(address >= block.window.base, "a burst begins before the window"),
            Assert((end <= limit) & (end <= 1 << block.addr_bits), "a burst ends after the window"),
            Assert((address % PAGE) + size <= PAGE, "a burst crosses a page"),
            Assert(address % block.beat_bytes == 0, "a burst is misaligned"),
        ]
    m.d.comb += [
        Cover(channel.valid & (end == limit) & (address != block.window.base), "up to the end"),
        Cover(channel.valid & (end % PAGE == 0), "up to the page's end"),
    ]


def _reads_answered(m, block, outstanding):
    """Assumes of the memory that each burst gets its beats, in order; the bursts asked for."""
    m.submodules.asked = asked = FIFO(8, outstanding + 1)
    beat = Signal(8)
    last = asked.o.payload == beat
    m.d.comb += [
        asked.i.valid.eq(fires(block.ar)), asked.i.payload.eq(block.ar.payload.len),
        asked.o.ready.eq(block.r.valid & last),
        Assume(~block.r.valid | (asked.o.valid & (block.r.payload.last == last))),
    ]
    with m.If(block.r.valid):
        m.d.sync += beat.eq(Mux(last, 0, beat + 1))
    return asked


def surroundings(outstanding):
    """What a proof of equivalence of a Reader or Writer may assume: the window stands still, the
    memory answers what it was asked."""
    def assume(m, block):
        before, known = Signal.like(block.window, name="window_before"), Signal(name="window_known")
        m.d.sync += [before.eq(block.window), known.eq(1)]
        m.d.comb += Assume(~known | (block.window == before))
        if hasattr(block, "ar"):
            _reads_answered(m, block, outstanding)
            return
        written, begun = Signal(8, name="written"), Signal(8, name="begun")
        m.d.sync += [
            written.eq(written + (fires(block.w) & block.w.payload.last) - fires(block.b)),
            begun.eq(begun + fires(block.aw) - fires(block.b)),
        ]
        m.d.comb += Assume(~block.b.valid | (written.any() & begun.any()))
    return assume


def reader(m, block):
    """Bursts are legal, and never more of them in flight than allowed."""
    _stable_window(m, block)
    _legal(m, block, block.ar)
    asked = _reads_answered(m, block, block.outstanding)
    m.d.comb += [
        Assert(asked.level <= block.outstanding, "too many bursts in flight"),
        Assert(block.r.ready, "a beat waits"),
        Cover(asked.level == block.outstanding, "all bursts in flight"),
        Cover(block.error.valid, "an error"),
    ]


def writer(m, block):
    """Bursts are legal, have as many beats as they say, and never too many lack their answer."""
    _stable_window(m, block)
    _legal(m, block, block.aw)
    m.submodules.asked = asked = FIFO(8, block.outstanding + 1)
    beat, written, open_ = Signal(8), Signal(8), Signal(8)
    w, b = block.w, block.b
    offered = Signal()                 # this AW is already among those asked
    ends = fires(w) & w.payload.last
    m.d.sync += offered.eq(block.aw.valid & ~block.aw.ready)
    m.d.comb += [
        # A burst of one beat may be over in the cycle in which its address is offered.
        asked.i.valid.eq(block.aw.valid & ~offered & (asked.o.valid | ~ends)),
        asked.i.payload.eq(block.aw.payload.len), asked.o.ready.eq(ends),
        Assert(asked.i.ready, "too many bursts begun"),
        Assert(open_ <= block.outstanding, "too many bursts lack their answer"),
        Assert(b.ready, "an answer waits"),
        Assume(~b.valid | (written != 0)),
        Cover(open_ == block.outstanding, "all bursts in flight"),
        Cover(block.error.valid, "an error"),
    ]
    # A beat may be offered in the cycle in which its address is, not before.
    length = Mux(asked.o.valid, asked.o.payload, block.aw.payload.len)
    with m.If(w.valid):
        m.d.comb += [
            Assert(asked.o.valid | (block.aw.valid & ~offered), "a beat of no burst"),
            Assert(w.payload.last == (beat == length), "last is not at the burst's end"),
            Assert(w.payload.strb.all(), "a beat is not written whole"),
        ]
    with m.If(fires(w)):
        m.d.sync += beat.eq(Mux(w.payload.last, 0, beat + 1))
    m.d.sync += [
        open_.eq(open_ + (block.aw.valid & ~offered) - fires(b)),
        written.eq(written + ends - fires(b)),
    ]


def command_check(m, block):
    """Good commands pass, each once, in order; a bad one stays, and says why."""
    _stable_window(m, block)
    board = Scoreboard(m, fires(block.i), block.i.payload, fires(block.o), block.o.payload, 2)
    bad = Signal(name="was_bad")
    m.d.sync += bad.eq(block.misaligned | block.outside)
    beat = block.data_bits // 8
    address, size = block.command.address, block.command.beats * beat
    aligned = address % beat == 0
    # In as many bits as it takes: nothing wraps.
    inside = ((address >= block.window.base)
              & (address + size <= block.window.base + block.window.size)
              & (address + size <= 1 << block.addr_bits))
    m.d.comb += [
        Assert(board.inside == block.full, "not the commands inside"),
        Assert(block.o.valid == (block.full & aligned & inside), "offered, but not good"),
        Assert(block.misaligned == (block.full & ~aligned), "misaligned, but not said"),
        Assert(block.outside == (block.full & aligned & ~inside), "outside, but not said"),
        Assert(~bad | block.misaligned | block.outside, "a bad command went away"),
        Assert(~bad | ~block.i.ready, "a command is taken after a bad one"),
        Cover(block.misaligned, "misaligned"),
        Cover(block.outside & (address + size > 1 << block.addr_bits), "beyond all addresses"),
        Cover(block.o.valid & (address + size == block.window.base + block.window.size), "the end"),
    ]
    with m.If(board.present):
        m.d.comb += Assert(block.command.as_value() == board.followed, "another command")


def any_shell(**init):
    """A small shell around any engine; `init` are values that its registers begin with."""
    descriptor = data.StructLayout({"anything": 32, "crc": 32})
    block = Shell(AnyEngine(descriptor, 14, 64, 1), descriptor, counters=("x",), identification=1,
                  version=1, addr_bits=14, data_bits=64, watchdog=8, max_burst=2, outstanding=2)
    block.register_map = tuple(replace(r, init=init.pop(r.name, r.init))
                               for r in block.register_map)
    return block


class AnyEngine(wiring.Component):
    """Whatever an engine may do: any beats and errors, any commands while it has a descriptor, in
    streams that keep to their contract."""

    def __init__(self, descriptor, addr_bits, data_bits, counters):
        super().__init__(engine_members(descriptor, addr_bits, data_bits, counters))

    def elaborate(self, platform):
        m = Module()
        for _, member, value in self.signature.flatten(self):
            value = Value.cast(value)
            if member.flow == Out and len(value):
                m.d.comb += value.eq(AnySeq(len(value)))
        for name, flow, port in streams(self):
            if flow == Out:
                hold(m, port, name, Assume)
        for command in (self.read_command, self.write_command):
            m.d.comb += Assume(~command.valid | self.descriptor.valid)
        return m


def _answers_only(m, memory):
    """No R without its AR taken, no B before AW and the last beat of W are."""
    reads, addresses, bursts = (Signal(4, name=f"{what}_open") for what in ("r", "aw", "w"))
    m.d.sync += [
        reads.eq(reads + fires(memory.ar) - (fires(memory.r) & memory.r.payload.last)),
        addresses.eq(addresses + fires(memory.aw) - fires(memory.b)),
        bursts.eq(bursts + (fires(memory.w) & memory.w.payload.last) - fires(memory.b)),
    ]
    m.d.comb += [Assume(~memory.r.valid | reads.any()),
                 Assume(~memory.b.valid | (addresses.any() & bursts.any()))]


def shell(m, block):
    """Whatever the engine and the host do, and whatever memory answers only what it was asked:
    every burst lies inside the window that the registers give, which stand still during a run."""
    regs = block.regs
    busy, before = Signal(name="was_busy"), Signal(128, name="window_before")
    window = Cat(regs.window_base_lo, regs.window_base_hi, regs.window_size_lo, regs.window_size_hi)
    m.d.sync += [busy.eq(regs.status[0]), before.eq(window)]
    base, size = window[:64], window[64:]
    _answers_only(m, block.memory)
    with m.If(busy):
        m.d.comb += Assert(window == before, "the window moved during a run")
    for code in (ErrorCode.READ_WINDOW, ErrorCode.WRITE_WINDOW):
        m.d.comb += Cover(regs.error == code, f"{code.name} is found")
    for name in ("ar", "aw"):
        channel = getattr(block.memory, name)
        first, end = Signal(66, name=f"{name}_first"), Signal(66, name=f"{name}_end")
        m.d.comb += [
            first.eq(channel.payload.addr),
            end.eq(first + (channel.payload.len + 1) * (block.data_bits // 8)),
            Cover(channel.valid & (end == base + size) & (first > base), f"{name}: to the end"),
        ]
        with m.If(channel.valid):
            m.d.comb += [
                Assert((first >= base) & (end <= base + size), f"{name}: outside the window"),
                Assert(first[12:] == (end - 1)[12:], f"{name}: across a page"),
                Assert(regs.status[0], f"{name}: a burst of no run"),
            ]
