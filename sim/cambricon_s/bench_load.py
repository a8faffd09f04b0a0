"""LOAD: rows to commands, beats to units, zeros, CRCs, events; one beat per cycle."""

import zlib

import cocotb
from cocotb.triggers import RisingEdge

from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.instruction import CHOICES, line_beats
from hw.cambricon_s.layouts import ADDRESS, fill_layout, pair_layout, slot_layout
from hw.cambricon_s.load import PAIR_OF, PAIRS
from hw.cambricon_s.sides import State
from hw.common.axi.dma import command_layout
from hw.common.axi.shell import BEATS_BITS
from sim.common.bench import bench_config, rng, start


def shape(cfg, to):
    """Units of a beat, beats of a unit."""
    bits = {"nbin": cfg.granule_bits, "sib": cfg.window, "codebook": cfg.data_bits,
            "sb": cfg.sb_beats * cfg.memory_bits, "bias": cfg.bias_beats * cfg.memory_bits,
            "every": max(cfg.sb_word_bits, cfg.memory_bits),
            "ib": line_beats(cfg) * cfg.memory_bits}[CHOICES["buffer"][to]]
    return max(1, cfg.memory_bits // bits), max(1, bits // cfg.memory_bits)


def beat_at(cfg, address):
    """What the memory holds there."""
    seed = zlib.crc32(address.to_bytes(8, "little"))
    return seed * 0x9E3779B97F4A7C15 ** (cfg.memory_bits // 64 + 1) % (1 << cfg.memory_bits)


def random_slot(cfg, rand):
    rows = rand.choice([0, 1, 1, 2, 3])
    slot = {"to": rand.randrange(7), "side": rand.randint(0, 1), "rows": rows,
            "address": rand.randrange(64) * cfg.beat_bytes, "beats": rand.randint(1, 5),
            "pitch": rand.randint(0, 9), "first": rand.randrange(8), "granules": rand.randint(0, 9),
            "granule_pitch": rand.randint(0, 5), "skip": rand.choice([0, 0, 2]), "there": 1,
            "acquire": 1, "publish": rand.randint(0, 1), "checked": rows > 0, "crc": 0}
    return slot


def beats(cfg, slot):
    """(address or None, base, index, part) of every beat."""
    units, parts = shape(cfg, slot["to"])
    for row in range(max(1, slot["rows"])):
        for n in range(slot["beats"]):
            where = slot["address"] + (row * slot["pitch"] + n) * cfg.beat_bytes
            yield (where if slot["rows"] else None,
                   slot["first"] + row * slot["granule_pitch"] - slot["skip"],
                   n // parts * units, n % parts)


def crc(cfg, slot):
    data = b"".join(beat_at(cfg, where).to_bytes(cfg.beat_bytes, "little")
                    for where, *_ in beats(cfg, slot) if where is not None)
    return zlib.crc32(data)


def states(dut, state):
    for n in range(2 * len(PAIRS)):
        getattr(dut, f"state__{n}").value = state.value


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.5])
async def beats_to_units(dut, p_stall):
    cfg, rand = bench_config(CambriconSConfig), rng(p_stall)
    await start(dut)
    states(dut, State.EMPTY)
    slots = [random_slot(cfg, rand) for _ in range(25)]
    for slot in slots:
        slot["crc"] = crc(cfg, slot) if slot["checked"] else 0
    wanted = [(slot, *beat) for slot in slots for beat in beats(cfg, slot)]
    command, fill, pair = (command_layout(cfg.addr_bits, BEATS_BITS), fill_layout(cfg),
                           pair_layout())
    given, read, got, ends = 0, [], 0, []
    taken, filled = [], []
    for cycle in range(3000):
        dut.i__valid.value = given < len(slots)
        if given < len(slots):
            dut.i__payload.value = slot_layout(cfg, "load").const(slots[given]).as_bits()
        go = rand.random() >= p_stall
        dut.read_command__ready.value = go
        offered = bool(read) and rand.random() >= p_stall
        dut.read_data__valid.value = offered
        dut.read_data__payload.value = beat_at(cfg, read[0]) if read else 0
        await RisingEdge(dut.clk)
        for name, seen in (("taken", taken), ("filled", filled)):
            for n in range(len(PAIRS)):
                event = pair.from_bits(int(getattr(dut, f"{name}__{n}").value))
                if event.valid:
                    seen.append((n, event.side, event.ends, cycle))
        given += given < len(slots) and int(dut.i__ready.value)
        if go and int(dut.read_command__valid.value):
            asked = command.from_bits(int(dut.read_command__payload.value))
            read += [asked.address + n * cfg.beat_bytes for n in range(asked.beats)]
        now = fill.from_bits(int(dut.fill.value))
        if now.valid:
            slot, where, base, index, part = wanted[got]
            data = 0 if where is None else beat_at(cfg, where)
            assert (now.to, now.side, now.data) == (slot["to"], slot["side"], data)
            assert (now.base, now.index, now.part) == (base % (1 << ADDRESS), index, part)
            assert (now.low, now.high) == (slot["skip"], slot["skip"] + slot["granules"])
            got += 1
            if got == len(wanted) or wanted[got][0] is not slot:
                ends.append(cycle)
        if offered and int(dut.read_data__ready.value):
            assert now.valid and read.pop(0) == where
        assert int(dut.bad_crc.value) == int(dut.wrong_side.value) == 0
        if len(filled) == len(slots):
            break
    events = [(PAIR_OF[s["to"]], s["side"], s["publish"]) for s in slots]
    assert [e[:3] for e in taken] == events and [e[:3] for e in filled] == events
    assert [e[3] for e in filled] == [end + 1 for end in ends]
    assert got == len(wanted)


@cocotb.test()
async def waits_mistakes_and_crc(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    await start(dut)
    layout = slot_layout(cfg, "load")
    slot = random_slot(cfg, rand) | {"rows": 1, "checked": 1, "beats": 2, "publish": 1}
    slot["crc"] = crc(cfg, slot) ^ 1 << rand.randrange(32)
    for state in (State.FULL, State.LEAVING, State.CLOSING, State.FILLING):
        states(dut, state)
        for acquire in (0, 1):
            dut.i__payload.value = layout.const(slot | {"acquire": acquire}).as_bits()
            dut.i__valid.value = 1
            await RisingEdge(dut.clk)
            may = state == State.FILLING and not acquire
            assert int(dut.i__ready.value) == may
            assert int(dut.wrong_side.value) == (not acquire and not may)
            if may:
                break
    dut.i__valid.value = 0
    dut.read_data__valid.value, bad = 1, 0
    for n in range(6):
        where = slot["address"] + max(0, n - 1) * cfg.beat_bytes
        dut.read_data__payload.value = beat_at(cfg, where)
        await RisingEdge(dut.clk)
        bad += int(dut.bad_crc.value)
        assert not any(int(getattr(dut, f"filled__{n}").value) & 1 for n in range(len(PAIRS)))
    assert bad == 1
