"""What is proven of the lines of ``hw/common/axi/lines.py``, beyond the stream contract.

The proofs keep the beats themselves, and a checksum of their own that begins anew with each line.
Solvers cannot reason about CRCs: `light` makes a block with a simpler checksum, which the proof
holds for as well. That the real one is zlib's is for the tests.
"""
from amaranth.hdl import Assert, Cat, Const, Cover, Mux, Signal, Value

from hw.common.crc import INIT, RESIDUE
from sim.common.formal import fires

__all__ = ["light", "line_reader", "line_writer"]


def _fold(register, data):
    """A checksum that tells words and their order apart."""
    register = Value.cast(register) if not isinstance(register, int) else Const(register, 32)
    for at in range(0, len(data), 32):
        register = register.rotate_left(1) ^ data[at:at + 32]
    return register[:32]


def light(cls):
    """`cls` with another checksum."""
    return type(f"Light{cls.__name__}", (cls,), {"step": staticmethod(_fold)})


def line_reader(m, block):
    """A line is the last beats in order; it is offered if its CRC is good, else error for ever."""
    beats, bits = block.beats, block.data_bits
    seen, crc = Signal(beats * bits, name="seen"), Signal(32, name="seen_crc")
    place, complete = Signal(range(beats), name="place"), Signal(name="complete")
    last, failed = Signal(name="seen_last"), Signal(name="failed")
    begin = INIT if beats == 1 else Mux(place == 0, Const(INIT, 32), crc)
    with m.If(fires(block.i)):
        m.d.sync += [
            seen.eq(Cat(seen, block.i.p.data)[bits:]), last.eq(block.i.p.last),
            crc.eq(block.step(begin, block.i.p.data)),
            place.eq(Mux(place == beats - 1, 0, place + 1)), complete.eq(place == beats - 1),
        ]
    with m.Elif(fires(block.o)):
        m.d.sync += complete.eq(0)
    m.d.sync += failed.eq(block.error)
    good = crc == RESIDUE
    m.d.comb += [
        Assert((block.index == place) & (place < beats), "not the beat's place"),
        Assert(block.o.valid == (complete & good), "offered, but not a whole good line"),
        Assert(block.error == (complete & ~good), "an error, but not a whole bad line"),
        Assert(~block.error | ~block.i.ready, "a beat is taken after an error"),
        Assert(~failed | block.error, "an error went away"),
        Assert(complete | block.i.ready, "a beat waits for nothing"),
        Cover(block.error, "a bad line"),
    ]
    with m.If(complete | (place != 0)):
        m.d.comb += Assert(block.register == crc, "another CRC")
    with m.If(complete):
        m.d.comb += Assert(block.line == seen, "a beat is not in its place")
    with m.If(block.o.valid):
        m.d.comb += [
            Assert(block.o.payload.as_value() == Cat(seen[:block.content_bits], last),
                   "another line"),
        ]
    # Beats of a line that is not complete yet stand at the top.
    for n in range(1, beats):
        with m.If(~complete & (place == n)):
            m.d.comb += Assert(block.line[-n * bits:] == seen[-n * bits:], "a beat is lost")


def line_writer(m, block):
    """Each line leaves as its content, zeros and CRC, beat by beat."""
    beats, bits = block.beats, block.data_bits
    line, last = Signal(beats * bits - 32, name="taken"), Signal(name="taken_last")
    crc, place = Signal(32, name="taken_crc", init=INIT), Signal(range(beats), name="place")
    busy = Signal(name="line_inside")
    final = place == beats - 1
    whole = Cat(line, Const(0, 32)).word_select(place, bits)
    with m.If(fires(block.o)):
        m.d.sync += [place.eq(Mux(final, 0, place + 1)), busy.eq(~final),
                     crc.eq(Mux(final, INIT, block.step(crc, whole)))]
    with m.If(fires(block.i)):
        content = block.i.payload.as_value()[:block.content_bits]
        m.d.sync += [line.eq(content), last.eq(block.i.p.last), busy.eq(1)]
        m.d.comb += Assert(~busy | (final & fires(block.o)), "a line is taken over another")
    m.d.comb += [
        Assert(block.o.valid == busy, "valid differs from a line inside"),
        Assert(block.i.ready == (~busy | (final & block.o.ready)), "a line waits for nothing"),
        Assert((block.index == place) & (place < beats), "not the beat's place"),
    ]
    if beats > 1:
        m.d.comb += Assert(block.register == crc, "another CRC")
    with m.If(busy):
        rest = (line >> (place * bits))[:len(line)]
        m.d.comb += [Assert(block.line == rest, "not the rest of the line"),
                     Assert(block.last == last, "another line's last"),
                     Assert(block.o.p.last == (last & final), "last is off")]
        with m.If(final):
            body = line[-(bits - 32):]
            begin = INIT if beats == 1 else block.register
            m.d.comb += Assert(block.o.p.data == Cat(body, ~block.step(begin, body)), "no CRC")
        with m.Else():
            m.d.comb += Assert(block.o.p.data == whole, "a beat differs from its part of the line")
    with m.If(~busy):
        m.d.comb += Assert(place == 0, "half a line")
