"""Lines: the universal record in memory, protected by a CRC.

A line of a content of W bits is ``n = ceil((W + 32) / data_bits)`` beats, least significant beat
first. As one little-endian integer of ``n * data_bits`` bits it is the content in its low bits,
zeros, and in its top 32 bits the CRC-32 (IEEE, zlib's) of all the lower bytes.
``golden/formats/lines.py`` is its software counterpart.
"""
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.signature import check_data_bits
from hw.common.crc import INIT, RESIDUE, crc32_step


def line_beats(content_bits, data_bits):
    """Beats of a line."""
    return -(-(content_bits + 32) // data_bits)


def beat_layout(data_bits, strobes=False):
    """A beat as the DMA gives and takes it; ``last`` ends a command or a region. With ``strobes``
    a bit per byte says whether it is written."""
    strobe = {"strb": data_bits // 8} if strobes else {}
    return data.StructLayout({"data": data_bits, "last": 1, **strobe})


def line_layout(shape):
    """A line's content; ``last`` is that of its last beat."""
    return data.StructLayout({"content": shape, "last": 1})


class _Lines(wiring.Component):
    """What both directions share: the sizes, and the state that proofs look at."""
    step = staticmethod(crc32_step)     # a proof may put a simpler checksum in its place

    def __init__(self, shape, data_bits, members, crc_bits=0):
        check_data_bits(data_bits)
        self.shape, self.data_bits = shape, data_bits
        self.content_bits = Shape.cast(shape).width
        self.beats = line_beats(self.content_bits, data_bits)
        self.index = Signal(range(self.beats))          # the next beat's place in its line
        self.register = Signal(32, init=INIT)           # the CRC of the beats so far
        # The beats so far, or those still to come (their CRC is not kept).
        self.line = Signal(self.beats * data_bits - crc_bits)
        self.last = Signal()                            # the line's
        super().__init__(members)


class LineReader(_Lines):
    """Gathers beats into lines and checks their CRC.

    One beat per cycle sustained, also with lines of one beat. A line is at the output in the cycle
    after its last beat was taken. A line with a wrong CRC is never offered: ``error`` rises in that
    cycle instead and stays, and no further beat is taken (until reset).

    Parameters
    ----------
    shape : ShapeLike
        Shape of a line's content.
    data_bits : int

    Members
    -------
    i : In(stream.Signature(beat_layout(data_bits)))
    o : Out(stream.Signature(line_layout(shape)))
    error : Out(1)
    """
    def __init__(self, shape, data_bits):
        super().__init__(shape, data_bits, {
            "i": In(stream.Signature(beat_layout(data_bits))),
            "o": Out(stream.Signature(line_layout(shape))),
            "error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        line, register, index = self.line, self.register, self.index
        last, full, good = self.last, Signal(), Signal()
        m.d.comb += [
            good.eq(register == RESIDUE),
            self.o.valid.eq(full & good),
            self.o.payload.as_value().eq(Cat(line[:self.content_bits], last)),
            self.error.eq(full & ~good),
            self.i.ready.eq(~full | (good & self.o.ready)),
        ]
        start = INIT if self.beats == 1 else Mux(index == 0, Const(INIT, 32), register)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                line.eq(Cat(line, self.i.p.data)[self.data_bits:]),
                register.eq(self.step(start, self.i.p.data)),
                last.eq(self.i.p.last),
                full.eq(index == self.beats - 1),
                index.eq(Mux(index == self.beats - 1, 0, index + 1)),
            ]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += full.eq(0)
        return m


class LineWriter(_Lines):
    """Cuts lines into beats and appends their CRC.

    One beat per cycle sustained, also with lines of one beat. The first beat of a line is at the
    output in the cycle after the line was taken.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a line's content.
    data_bits : int

    Members
    -------
    i : In(stream.Signature(line_layout(shape)))
    o : Out(stream.Signature(beat_layout(data_bits)))
        ``last`` is set in the last beat of a line whose ``last`` is set.
    """
    def __init__(self, shape, data_bits):
        super().__init__(shape, data_bits, {
            "i": In(stream.Signature(line_layout(shape))),
            "o": Out(stream.Signature(beat_layout(data_bits))),
        }, crc_bits=32)

    def elaborate(self, platform):
        m = Module()
        line, register, index = self.line, self.register, self.index
        last, busy, final = self.last, Signal(), Signal()
        body = line[:self.data_bits - 32]
        start = INIT if self.beats == 1 else register
        m.d.comb += [
            final.eq(index == self.beats - 1),
            self.o.valid.eq(busy),
            self.o.p.last.eq(last & final),
            self.o.p.data.eq(Mux(final, Cat(body, ~self.step(start, body)), line)),
            self.i.ready.eq(~busy | (self.o.ready & final)),
        ]
        with m.If(self.o.valid & self.o.ready):
            if self.beats > 1:
                m.d.sync += [
                    line.eq(line[self.data_bits:]),
                    register.eq(Mux(final, INIT, self.step(register, line[:self.data_bits]))),
                    index.eq(Mux(final, 0, index + 1)),
                ]
            with m.If(final):
                m.d.sync += busy.eq(0)
        with m.If(self.i.valid & self.i.ready):
            content = self.i.payload.as_value()[:self.content_bits]
            m.d.sync += [line.eq(content), last.eq(self.i.p.last), busy.eq(1)]
        return m
