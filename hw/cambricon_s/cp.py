# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V: control processor, instruction buffer.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.axi.lines import LineReader
from hw.common.stream.fifo import FIFO

from .config import WIDTHS
from .instruction import CHOICES, INSTRUCTION, line_beats
from .layouts import ADDRESS, fill_layout, instruction_layout, pair_layout, slot_layout
from .sides import State, is_full


class CP(wiring.Component):
    """Control processor, with IB and a queue before each unit.

    ``start`` in cycle s puts the LOAD of the program's first half into its queue. A word is read
    when its half is FULL and the word before has left or leaves; it is handed out from the next
    cycle on, whole, as soon as each of its slots has room in its queue (``queue_words``). The
    half is EMPTY in the cycle after its last word was handed out.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    start : In(1)
    program : In(64), words : In(32)
        Held from ``start`` on.
    fill : In(fill_layout(cfg))
        Units are words, their parts a line's beats.
    state : In(State).array(2)
        Of the halves.
    used : Out(pair_layout())
        The last word of a half leaves.
    load, compute, store : Out(stream.Signature(slot_layout(cfg, ...)))
    done : Out(1)
        All words were handed out before this cycle.
    waits : Out(1)
        No word to hand out is there.
    bad_line : Out(1)
        A line's CRC is wrong; holds.
    bad_slot : Out(1)
        The word that is handed out has a field that no machine can run.
    beyond : Out(1)
        A word of this cycle's beat lies beyond its half.
    """

    def __init__(self, cfg):
        self.cfg, self.half = cfg, cfg.ib_words // 2
        if self.half * line_beats(cfg) >= 1 << 12:
            raise ValueError(f"half of ib_words must be below 4096 beats, "
                             f"not {self.half * line_beats(cfg)}")
        super().__init__({
            "start": In(1), "program": In(64), "words": In(32), "fill": In(fill_layout(cfg)),
            "state": In(State).array(2), "used": Out(pair_layout()),
            **{slot: Out(stream.Signature(slot_layout(cfg, slot))) for slot in INSTRUCTION},
            "done": Out(1), "waits": Out(1), "bad_line": Out(1), "bad_slot": Out(1),
            "beyond": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg, half = self.cfg, self.half
        m.submodules.ib = ib = Memory(shape=instruction_layout(cfg), depth=2 * half, init=[])
        self._fill(m, ib.write_port())
        read = ib.read_port()
        side, place, left = Signal(), Signal(range(half)), Signal(32)   # of the next word to read
        ends, from_, last = Signal(), Signal(), Signal()                # of the word that waits
        waits, fetch, hand = Signal(), Signal(), Signal()
        m.d.comb += [
            fetch.eq((left != 0) & is_full(self.state, side) & (~waits | hand)),
            read.addr.eq(side * half + place), read.en.eq(fetch),
            last.eq((place == half - 1) | (left == 1)),
            self.used.valid.eq(hand), self.used.side.eq(from_), self.used.ends.eq(ends),
            self.done.eq((left == 0) & ~waits), self.waits.eq(~waits),
        ]
        with m.If(fetch):
            m.d.sync += [waits.eq(1), left.eq(left - 1), ends.eq(last), from_.eq(side),
                         place.eq(Mux(last, 0, place + 1)), side.eq(side ^ last)]
        with m.Elif(hand):
            m.d.sync += waits.eq(0)
        with m.If(self.start):
            m.d.sync += [left.eq(self.words), side.eq(0), place.eq(0)]
        m.d.comb += [hand.eq(self._hand_out(m, read.data, waits)),
                     self.bad_slot.eq(hand & self._bad(m, read.data))]
        return m

    def _fill(self, m, write):
        """Beats to lines to words."""
        cfg, fill = self.cfg, self.fill
        m.submodules.lines = lines = LineReader(instruction_layout(cfg), cfg.memory_bits)
        word, side, wanted = Signal(ADDRESS), Signal(), Signal()
        here, at = Signal(), Signal(ADDRESS)
        m.d.comb += [
            here.eq(fill.valid & (fill.to == CHOICES["buffer"].index("ib"))),
            at.eq(fill.base + fill.index),
            self.beyond.eq(here & (fill.index < fill.high) & (at >= self.half)),
            lines.i.valid.eq(here), lines.i.p.data.eq(fill.data), lines.o.ready.eq(1),
            write.en.eq(lines.o.valid & wanted), write.addr.eq(side * self.half + word),
            write.data.eq(lines.o.p.content), self.bad_line.eq(lines.error),
        ]
        with m.If(here):
            m.d.sync += [word.eq(at), side.eq(fill.side), wanted.eq(fill.index < fill.high)]

    def _hand_out(self, m, word, waits):
        """The slots of the word into their queues, if all have room. Returns that they go."""
        hand, room = Signal(), []
        queues = {}
        for slot in INSTRUCTION:
            m.submodules[slot] = queues[slot] = queue = FIFO(slot_layout(self.cfg, slot),
                                                             self.cfg.queue_words)
            wiring.connect(m, queue.o, wiring.flipped(getattr(self, slot)))
            room.append(queue.i.ready | ~word[slot].there)
            m.d.comb += [queue.i.valid.eq(hand & word[slot].there),
                         queue.i.payload.eq(word[slot])]
        m.d.comb += hand.eq(waits & Cat(room).all())
        first, count = queues["load"].i, Signal(range(self.half + 1))
        m.d.comb += count.eq(Mux(self.words < self.half, self.words, self.half))
        with m.If(self.start & (self.words != 0)):
            m.d.comb += [first.valid.eq(1), first.payload.eq(0)]
            for name, value in {"to": CHOICES["buffer"].index("ib"), "address": self.program,
                                "rows": 1, "beats": count * line_beats(self.cfg),
                                "granules": count, "acquire": 1, "publish": 1}.items():
                m.d.comb += first.p[name].eq(value)
        return hand

    def _bad(self, m, word):
        load, compute, store, cfg = word.load, word.compute, word.store, self.cfg
        average = CHOICES["pool"].index("average")
        checks = {
            "load": [load.to >= len(CHOICES["buffer"]), load.beats == 0],
            "compute": [*(compute[name] == 0 for name in ("positions", "outer", "inner", "run")),
                        compute.width >= len(WIDTHS)],
            "store": [*(store[name] == 0 for name in ("rows", "columns", "pool_rows",
                                                      "pool_columns", "lanes")),
                      store.pool > average, store.lanes > cfg.tm, store.out_bits >= cfg.data_bits,
                      (store.pool == average) & ((store.area == 0) | (store.function > 1))],
        }
        bad = Signal(len(checks))
        for n, (slot, conditions) in enumerate(checks.items()):
            m.d.comb += bad[n].eq(word[slot].there & Cat(conditions).any())
        return bad.any()
