"""CP: the words of a program longer than IB, in order, whole, through both halves; bad ones."""

import random as pseudo

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.cambricon_s.instructions import decode, encode
from golden.formats.lines import pack_lines
from hw.cambricon_s.config import WIDTHS, CambriconSConfig
from hw.cambricon_s.instruction import CHOICES, INSTRUCTION, field_bits, line_beats, word_bits
from hw.cambricon_s.layouts import pair_layout, slot_layout
from hw.cambricon_s.sides import State
from sim.cambricon_s.fills import row_of_beats
from sim.common.bench import bench_config, rng, start

LEAST = ("beats", "positions", "outer", "inner", "run", "rows", "columns", "pool_rows",
         "pool_columns", "lanes", "area")


def random_word(cfg, rand):
    """Slots that every machine can run."""
    slots = {}
    for slot, fields in INSTRUCTION.items():
        if rand.random() < 0.6:
            slots[slot] = {
                name: rand.randrange(name in LEAST and 1, len(CHOICES[width]) if
                                     isinstance(width, str) else 1 << field_bits(cfg, width))
                for name, width in fields}
    if "compute" in slots:
        slots["compute"]["width"] %= len(WIDTHS)
    if "store" in slots:
        slots["store"] |= {"lanes": rand.randint(1, cfg.tm), "function": rand.randint(0, 1),
                           "out_bits": rand.randrange(cfg.data_bits)}
    return slots


def lines(cfg, words):
    """The beats of each word's line."""
    raw = [list(w.to_bytes((word_bits(cfg) + 7) // 8, "little")) for w in words]
    packed = pack_lines(np.array(raw, np.uint8), word_bits(cfg), cfg.memory_bits)
    return [int.from_bytes(line.tobytes(), "little") for line in packed]


class Filler:
    """Fills the halves as soon as they are EMPTY, one beat per cycle, and keeps their state."""

    def __init__(self, dut, cfg, words):
        half = cfg.ib_words // 2
        self.dut, self.state, self.next = dut, [State.EMPTY, State.EMPTY], 0
        bits = line_beats(cfg) * cfg.memory_bits
        all_lines = lines(cfg, words)
        self.halves = [row_of_beats(cfg, "ib", all_lines[n:n + half], bits, side=n // half % 2)
                       for n in range(0, len(words), half)]
        self.beats, self.closing = [], {}       # side: cycles until it is FULL

    def before(self):
        side = self.next % 2
        if not self.beats and self.next < len(self.halves) and self.state[side] == State.EMPTY:
            self.beats = list(self.halves[self.next])
            self.state[side], self.next = State.CLOSING, self.next + 1
            self.filling = side
        self.dut.fill.value = self.beats[0] if self.beats else 0
        for n, state in enumerate(self.state):
            getattr(self.dut, f"state__{n}").value = state.value

    def after(self):
        if self.beats:
            self.beats.pop(0)
            if not self.beats:
                self.closing[self.filling] = 2
        for side, left in list(self.closing.items()):
            self.closing[side] = left - 1
            if left == 1:
                self.state[side] = State.FULL
                del self.closing[side]
        used = pair_layout().from_bits(int(self.dut.used.value))
        if used.valid and used.ends:
            assert self.state[used.side] == State.FULL
            self.state[used.side] = State.EMPTY


async def begin(dut, count):
    dut.words.value, dut.program.value, dut.start.value = count, 0x400, 1
    await RisingEdge(dut.clk)
    dut.start.value = 0


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.6])
async def words_in_order(dut, p_stall):
    cfg, rand = bench_config(CambriconSConfig), rng(p_stall)
    await start(dut)
    half = cfg.ib_words // 2
    for count in (1, half, 3 * half + 1):
        slots = [random_word(cfg, rand) for _ in range(count)]
        words = [encode(s, cfg) for s in slots]
        filler = Filler(dut, cfg, words)
        first = min(count, half)
        wanted = {slot: [{**decode(w, cfg)[slot], "there": 1} for w in words
                         if slot in decode(w, cfg)] for slot in INSTRUCTION}
        wanted["load"].insert(0, {
            **dict.fromkeys((n for n, _ in INSTRUCTION["load"]), 0), "there": 0, "to": 5,
            "address": 0x400, "rows": 1, "beats": first * line_beats(cfg), "granules": first,
            "acquire": 1, "publish": 1})
        got = {slot: [] for slot in INSTRUCTION}
        await begin(dut, count)
        for _ in range(2000):
            filler.before()
            readies = {slot: rand.random() >= p_stall for slot in INSTRUCTION}
            for slot, ready in readies.items():
                getattr(dut, f"{slot}__ready").value = ready
            await RisingEdge(dut.clk)
            for slot, ready in readies.items():
                if ready and int(getattr(dut, f"{slot}__valid").value):
                    word = int(getattr(dut, f"{slot}__payload").value)
                    found = slot_layout(cfg, slot).from_bits(word)
                    got[slot].append({name: int(found[name]) for name in wanted[slot][0]})
            assert int(dut.bad_slot.value) == int(dut.bad_line.value) == 0
            filler.after()
            if int(dut.done.value) and all(len(got[s]) == len(wanted[s]) for s in got):
                break
        assert got == wanted


def spoilt(cfg):
    good = {slot: {name: 1 for name, _ in fields} for slot, fields in INSTRUCTION.items()}
    good["compute"]["width"] = 4
    good["store"]["out_bits"] = cfg.data_bits - 1
    for slot, field, value in (
            ("load", "to", None), ("load", "beats", 0), ("compute", "positions", 0),
            ("compute", "outer", 0), ("compute", "inner", 0), ("compute", "run", 0),
            ("compute", "width", 5), ("store", "rows", 0), ("store", "columns", 0),
            ("store", "pool_rows", 0), ("store", "pool_columns", 0), ("store", "lanes", 0),
            ("store", "lanes", cfg.tm + 1), ("store", "pool", None),
            ("store", "out_bits", cfg.data_bits if cfg.data_bits < 16 else None)):
        if (field, value) == ("out_bits", None):
            continue
        word = encode(good | {slot: good[slot] | {field: value or 0}}, cfg)
        if value is None:       # a choice that no assembler writes
            at = sum(1 + sum(field_bits(cfg, w) for _, w in fields)
                     for s, fields in INSTRUCTION.items() if slot == "store" and s != "store")
            for name, width in INSTRUCTION[slot]:
                if name == field:
                    word |= ((1 << field_bits(cfg, width)) - 1) << at
                at += field_bits(cfg, width)
        yield (slot, field), word, True
    average = {"pool": 2, "area": 0}
    yield "area", encode(good | {"store": good["store"] | average}, cfg), True
    yield "table", encode(good | {"store": good["store"] | {"pool": 2, "function": 2}}, cfg), True
    yield "good", encode(good, cfg), False


@cocotb.test()
async def bad_words(dut):
    cfg = bench_config(CambriconSConfig)
    await start(dut)
    for name, word, bad in spoilt(cfg):
        filler, seen = Filler(dut, cfg, [word]), False
        for slot in INSTRUCTION:
            getattr(dut, f"{slot}__ready").value = 1
        await begin(dut, 1)
        for _ in range(40):
            filler.before()
            await RisingEdge(dut.clk)
            seen |= bool(int(dut.bad_slot.value))
            filler.after()
        assert seen == bad, name


@cocotb.test()
async def bad_line(dut):
    cfg = bench_config(CambriconSConfig)
    await start(dut)
    filler = Filler(dut, cfg, [encode({}, cfg)])
    bit = pseudo.Random(1).randrange(word_bits(cfg))
    at = bit // cfg.memory_bits
    low = len(dut.fill) - cfg.memory_bits + bit % cfg.memory_bits
    filler.halves[0][at] ^= 1 << low
    await begin(dut, 1)
    for _ in range(30):
        filler.before()
        await RisingEdge(dut.clk)
        filler.after()
    assert int(dut.bad_line.value)
