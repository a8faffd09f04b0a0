# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V: DMA of compressed data.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import command_layout
from hw.common.axi.lines import beat_layout
from hw.common.axi.shell import BEATS_BITS
from hw.common.crc import INIT, crc32_step
from hw.common.select import select
from hw.common.stream.fifo import FIFO

from .instruction import CHOICES, line_beats
from .layouts import ADDRESS, fill_layout, pair_layout, slot_layout
from .sides import State, can_fill

TICKETS = 8                                         # loads on their way in
PAIRS = ("nbin", "sib", "sb", "book", "ib")         # what LOAD fills
PAIR_OF = (0, 1, 2, 3, 3, 4, 2)                     # the pair of each of CHOICES["buffer"]


def pair_of(to):
    """A buffer's number in `PAIRS`."""
    return select([Const(pair, 3) for pair in PAIR_OF], to)


class Load(wiring.Component):
    """The unit of the LOAD slots: commands for the Reader, beats into the buffers.

    A slot taken in cycle t has its rows' commands offered from t + 1 on, one at a time; its beats
    come when those of the LOADs before have. A beat at ``read_data`` is taken and at ``fill`` in
    the same cycle, one per cycle; so are the zeros of a LOAD without rows. A cycle after the last
    one, the CRC is judged and ``filled`` given. At most `TICKETS` LOADs wait for beats.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    i : In(stream.Signature(slot_layout(cfg, "load")))
    state : In(State).array(2 · pairs)
        Of side s of pair p of `PAIRS`: 2 · p + s.
    read_command, read_data : as an engine has them
    fill : Out(fill_layout(cfg))
    taken, filled : Out(pair_layout()).array(pairs)
    beats : Out(len(CHOICES["buffer"]))
        A beat off the bus for this buffer in this cycle.
    busy : Out(1)
    wrong_side, bad_crc : Out(1)
        In this cycle.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(slot_layout(cfg, "load"))),
            "state": In(State).array(2 * len(PAIRS)),
            "read_command": Out(stream.Signature(command_layout(cfg.addr_bits, BEATS_BITS))),
            "read_data": In(stream.Signature(beat_layout(cfg.memory_bits))),
            "fill": Out(fill_layout(cfg)),
            "taken": Out(pair_layout()).array(len(PAIRS)),
            "filled": Out(pair_layout()).array(len(PAIRS)),
            "beats": Out(len(CHOICES["buffer"])),
            "busy": Out(1), "wrong_side": Out(1), "bad_crc": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.tickets = tickets = FIFO(slot_layout(self.cfg, "load"), TICKETS)
        rows, finish = self._commands(m, tickets), self._data(m, tickets)
        m.d.comb += self.busy.eq((rows != 0) | tickets.o.valid | finish)
        return m

    def _commands(self, m, tickets):
        """Takes slots; one command per row. Returns the rows that are left."""
        cfg, slot, command = self.cfg, self.i.p, self.read_command
        rows, address, pitch = Signal(12), Signal(cfg.addr_bits), Signal(slot.pitch.shape())
        beats, free, wrong, take = Signal(12), Signal(), Signal(), Signal()
        with m.Switch(pair_of(slot.to)):
            for pair in range(len(PAIRS)):
                with m.Case(pair):
                    fills, mistake = can_fill(self.state[2 * pair:2 * pair + 2], slot.side,
                                              slot.acquire)
                    m.d.comb += [free.eq(fills), wrong.eq(mistake)]
        m.d.comb += [
            take.eq(self.i.valid & (rows == 0) & free & tickets.i.ready),
            self.wrong_side.eq(self.i.valid & (rows == 0) & wrong),
            self.i.ready.eq(take), tickets.i.valid.eq(take), tickets.i.payload.eq(slot),
            command.valid.eq(rows != 0), command.p.address.eq(address), command.p.beats.eq(beats),
        ]
        self._event(m, self.taken, slot, take, slot.publish)
        with m.If(take):
            m.d.sync += [rows.eq(slot.rows), address.eq(slot.address), pitch.eq(slot.pitch),
                         beats.eq(slot.beats)]
        with m.Elif(command.valid & command.ready):
            m.d.sync += [rows.eq(rows - 1), address.eq(address + pitch * cfg.beat_bytes)]
        return rows

    def _event(self, m, events, slot, valid, ends):
        for pair, event in enumerate(events):
            m.d.comb += [event.valid.eq(valid & (pair_of(slot.to) == pair)),
                         event.side.eq(slot.side), event.ends.eq(ends)]

    def _data(self, m, tickets):
        """Beats of the first ticket into its buffer. Returns that one has just ended."""
        slot, fill, beat = tickets.o.p, self.fill, self.read_data
        row, column = Signal(12), Signal(12)                # of the beat
        index, part, offset = Signal(ADDRESS), Signal(ADDRESS), Signal(ADDRESS)
        zero, row_ends, ends, take = Signal(), Signal(), Signal(), Signal()
        units, parts = self._units(m, slot.to)
        m.d.comb += [
            zero.eq(slot.rows == 0), beat.ready.eq(tickets.o.valid & ~zero),
            take.eq(tickets.o.valid & (zero | beat.valid)),
            row_ends.eq(column + 1 == slot.beats),
            ends.eq(row_ends & (zero | (row + 1 == slot.rows))),
            tickets.o.ready.eq(take & ends),
            fill.valid.eq(take), fill.to.eq(slot.to), fill.side.eq(slot.side),
            fill.base.eq(slot.first + offset - slot.skip), fill.index.eq(index),
            fill.part.eq(part), fill.low.eq(slot.skip), fill.high.eq(slot.skip + slot.granules),
            fill.data.eq(Mux(zero, 0, beat.p.data)),
            self.beats.eq((take & ~zero) << slot.to),
        ]
        with m.If(take):
            m.d.sync += [column.eq(column + 1), part.eq(part + 1)]
            with m.If(part + 1 == parts):
                m.d.sync += [part.eq(0), index.eq(index + units)]
            with m.If(row_ends):
                m.d.sync += [row.eq(row + 1), column.eq(0), part.eq(0), index.eq(0),
                             offset.eq(offset + slot.granule_pitch)]
            with m.If(ends):
                m.d.sync += [row.eq(0), offset.eq(0)]
        return self._finish(m, slot, take, ends)

    def _units(self, m, to):
        """Of a buffer: the units of a beat, or the beats of a unit."""
        cfg = self.cfg
        bits = {"nbin": cfg.granule_bits, "sib": cfg.index_bits, "codebook": cfg.data_bits,
                "every": max(cfg.sb_word_bits, cfg.memory_bits)}
        whole = {"sb": cfg.sb_beats, "bias": cfg.bias_beats, "ib": line_beats(cfg)}
        units, parts = Signal(8), Signal(ADDRESS)
        with m.Switch(to):
            for number, name in enumerate(CHOICES["buffer"]):
                with m.Case(number):
                    unit = bits.get(name, whole.get(name, 1) * cfg.memory_bits)
                    m.d.comb += [units.eq(max(1, cfg.memory_bits // unit)),
                                 parts.eq(max(1, unit // cfg.memory_bits))]
        return units, parts

    def _finish(self, m, slot, take, ends):
        """The CRC over a LOAD's beats, and the end of it, a cycle after its last one."""
        register, first = Signal(32), Signal(init=1)
        last = Signal(data.StructLayout({"valid": 1, "checked": 1, "crc": 32, "publish": 1,
                                         "to": slot.to.shape(), "side": 1}))
        with m.If(take):
            m.d.sync += [first.eq(ends),
                         register.eq(crc32_step(Mux(first, Const(INIT, 32), register),
                                                self.read_data.p.data))]
        m.d.sync += last.valid.eq(take & ends)
        for name in ("checked", "crc", "publish", "to", "side"):
            m.d.sync += last[name].eq(slot[name])
        m.d.comb += self.bad_crc.eq(last.valid & last.checked & (last.crc != ~register))
        self._event(m, self.filled, last, last.valid & ~self.bad_crc, last.publish)
        return last.valid
