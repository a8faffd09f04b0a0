# Ref: Li et al., "TNPU", ASP-DAC 2019, Fig. 4: the DMA's side of the control unit.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import burst_beats
from hw.common.axi.lines import line_beats
from hw.common.axi.signature import PAGE

from .config import BURST, TNPUConfig
from .instruction import INSTRUCTION_BITS
from .layouts import burst_layout, instruction_layout


class Transfer(wiring.Component):
    """The DMA executor of a unit: cuts a LOAD or STORE into bursts.

    An instruction taken in cycle t asks for its first burst in t + 1, for the next one in the cycle
    after a grant; after the last grant, in g, the next instruction can be taken in g + 1. A burst
    ends after `BURST` beats, at the end of a chunk, and at 4 KiB.

    Parameters
    ----------
    cfg : TNPUConfig

    Members
    -------
    i : In(stream.Signature(instruction_layout()))
        LOAD and STORE, their tokens taken.
    offset : In(64)
        Added to relative addresses.
    o : Out(stream.Signature(burst_layout(cfg)))
    """

    def __init__(self, cfg: TNPUConfig):
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(instruction_layout())),
            "offset": In(64),
            "o": Out(stream.Signature(burst_layout(cfg))),
        })

    def elaborate(self, platform):
        m = Module()
        given, o, word_bytes = self.i.p, self.o.p, self.cfg.word_bytes
        busy, granted, chunk_ends = Signal(), Signal(), Signal()
        stride, beats, step = Signal(signed(32)), Signal(16), Signal.like(given.word)
        chunk, word_chunk = Signal(self.cfg.addr_bits), Signal.like(given.word)
        next_chunk, next_word = Signal.like(chunk), Signal.like(word_chunk)
        left, chunks = Signal(16), Signal(16)
        to_page = Signal(range(PAGE // word_bytes + 1))
        shift = word_bytes.bit_length() - 1
        m.d.comb += [
            self.i.ready.eq(~busy), self.o.valid.eq(busy), granted.eq(busy & self.o.ready),
            to_page.eq(PAGE // word_bytes - o.address[shift:PAGE.bit_length() - 1]),
            o.beats.eq(burst_beats(m, left, to_page, BURST)), chunk_ends.eq(left == o.beats),
            o.last.eq(chunk_ends & (chunks == 1)),
            next_chunk.eq(chunk + stride), next_word.eq(word_chunk + step),
        ]
        at, word = Signal.like(o.address), Signal.like(o.word)
        m.d.comb += [o.address.eq(at), o.word.eq(word)]
        with m.If(granted):
            m.d.sync += [at.eq(at + o.beats * word_bytes), word.eq(word + o.beats),
                         left.eq(left - o.beats)]
            with m.If(chunk_ends):
                m.d.sync += [at.eq(next_chunk), chunk.eq(next_chunk), word.eq(next_word),
                             word_chunk.eq(next_word), left.eq(beats), chunks.eq(chunks - 1)]
            with m.If(o.last):
                m.d.sync += busy.eq(0)
        first = Signal(self.cfg.addr_bits)
        m.d.comb += first.eq(given.address + Mux(given.relative, self.offset, 0))
        write, buffer, signals = Signal(), Signal.like(o.buffer), Signal.like(o.signal)
        m.d.comb += [o.write.eq(write), o.buffer.eq(buffer), o.signal.eq(signals)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                busy.eq(1), write.eq(given.opcode == 1), buffer.eq(given.buffer),
                signals.eq(given.signal), at.eq(first), chunk.eq(first), word.eq(given.word),
                word_chunk.eq(given.word), stride.eq(given.stride), beats.eq(given.beats),
                step.eq(given.word_stride), left.eq(given.beats), chunks.eq(given.chunks),
            ]
        return m


class QueueFetch(wiring.Component):
    """Asks for the lines of a unit's queue, one burst each, in order.

    It asks while fewer than `queue_depth` instructions have been asked for that no executor has
    taken: ``start`` in cycle t, the first request in t + 1.

    Parameters
    ----------
    cfg : TNPUConfig

    Members
    -------
    start : In(1)
    address : In(64), count : In(32)
        Where the queue lies and its instructions; read with ``start``.
    taken : In(2)
        Instructions that executors took in this cycle.
    o : Out(stream.Signature(burst_layout(cfg)))
    """

    def __init__(self, cfg: TNPUConfig):
        self.cfg = cfg
        self.beats = line_beats(INSTRUCTION_BITS, cfg.memory_bits)
        if self.beats > BURST:
            raise ValueError(f"a line of an instruction must be at most {BURST} beats, "
                             f"not {self.beats}")
        super().__init__({
            "start": In(1),
            "address": In(64),
            "count": In(32),
            "taken": In(2),
            "o": Out(stream.Signature(burst_layout(cfg))),
        })

    def elaborate(self, platform):
        m = Module()
        depth = self.cfg.queue_depth
        address, left, pending = Signal(self.cfg.addr_bits), Signal(32), Signal(range(depth + 1))
        granted = Signal()
        m.d.comb += [
            self.o.valid.eq((left != 0) & (pending != depth)),
            self.o.p.address.eq(address), self.o.p.beats.eq(self.beats),
            granted.eq(self.o.valid & self.o.ready),
        ]
        m.d.sync += pending.eq(pending + granted - self.taken)
        with m.If(granted):
            m.d.sync += [address.eq(address + self.beats * self.cfg.word_bytes), left.eq(left - 1)]
        with m.If(self.start):
            m.d.sync += [address.eq(self.address), left.eq(self.count), pending.eq(0)]
        return m
