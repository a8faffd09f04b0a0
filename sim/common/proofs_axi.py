"""What is proven of the DMA, to a bound: no burst outside the window, none against AXI's rules.

The memory is any that keeps to AXI: it answers what was asked, in order, when it likes.
"""
from amaranth.hdl import Assert, Assume, Cover, Mux, Signal

from hw.common.axi.signature import PAGE
from hw.common.stream.fifo import FIFO
from sim.common.formal import AnyConst, fires

__all__ = ["reader", "writer"]


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


def reader(m, block):
    """Bursts are legal, and never more of them in flight than allowed."""
    _stable_window(m, block)
    _legal(m, block, block.ar)
    m.submodules.asked = asked = FIFO(8, block.outstanding + 1)
    beat = Signal(8)
    last = asked.o.payload == beat
    m.d.comb += [
        asked.i.valid.eq(fires(block.ar)), asked.i.payload.eq(block.ar.payload.len),
        asked.o.ready.eq(block.r.valid & last),
        Assert(asked.level <= block.outstanding, "too many bursts in flight"),
        Assert(block.r.ready, "a beat waits"),
        Assume(~block.r.valid | (asked.o.valid & (block.r.payload.last == last))),
        Cover(asked.level == block.outstanding, "all bursts in flight"),
        Cover(block.error.valid, "an error"),
    ]
    with m.If(block.r.valid):
        m.d.sync += beat.eq(Mux(last, 0, beat + 1))


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
