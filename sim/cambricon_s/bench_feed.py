"""Feed: the windows of every COMPUTE in order, one per cycle, and what is taken and released."""

import cocotb
from cocotb.triggers import RisingEdge

from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.layouts import segment_layout, slot_layout, window_layout
from hw.cambricon_s.sides import State
from sim.common.bench import bench_config, rng, send, start

STEPS = ("position_step", "outer_step", "inner_step")


def random_slot(cfg, rand):
    """A COMPUTE whose windows lie inside the sides."""
    slot = {name: rand.randint(0, 1) for name in
            ("nbin_side", "sib_side", "sb_side", "book_side", "nbout_side", "dense", "dynamic",
             "begin", "release_nbin", "release_sib", "release_sb", "release_book", "publish")}
    while True:
        slot |= {"positions": rand.randint(1, 3), "outer": rand.randint(1, 2),
                 "inner": rand.randint(1, 2), "run": rand.randint(1, 3 * cfg.window),
                 **{step: rand.randint(0, 5) for step in STEPS},
                 "nbin_first": rand.randrange(cfg.nbin_granules), "sib_word": rand.randint(0, 2),
                 "nbout_first": rand.randint(0, 1), "nbout_step": rand.randint(0, 1),
                 "sb_word": rand.randrange(cfg.sb_words), "width": rand.randint(0, 4),
                 "acquire": 1, "there": 1, "synapses": rand.randint(0, cfg.tn)}
        far = sum((slot[f"{n}s" if n == "position" else n] - 1) * slot[f"{n}_step"]
                  for n in ("position", "outer", "inner"))
        count = slot["outer"] * slot["inner"] * -(-slot["run"] // cfg.window)
        used = slot["sb_word"] * cfg.sb_word_bits + (slot["synapses"] << slot["width"])
        if (slot["nbin_first"] + far + -(-slot["run"] // cfg.tn) <= cfg.nbin_granules
                and slot["sib_word"] + count <= cfg.sib_words
                and used <= cfg.sb_words * cfg.sb_word_bits):
            return slot


def windows(cfg, slot):
    """(granule, SIB word, neurons, last) of each, and the segments."""
    out, segments = [], []
    for p in range(slot["positions"]):
        segments.append((slot["nbout_first"] + p * slot["nbout_step"], p + 1 == slot["positions"]))
        word = slot["sib_word"]
        for o in range(slot["outer"]):
            for i in range(slot["inner"]):
                at = slot["nbin_first"] + (p * slot["position_step"] + o * slot["outer_step"]
                                           + i * slot["inner_step"])
                for left in range(slot["run"], 0, -cfg.window):
                    last = (o, i) == (slot["outer"] - 1, slot["inner"] - 1) and left <= cfg.window
                    out.append((at, word, min(left, cfg.window), last))
                    at, word = at + cfg.window_granules, word + 1
    return out, segments


def ready(dut):
    """Every side as COMPUTE wants it."""
    for n in range(8):
        getattr(dut, f"state__{n}").value = State.FULL.value
    for n in range(2):
        getattr(dut, f"nbout__{n}").value = State.EMPTY.value


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.5])
async def all_windows(dut, p_stall):
    cfg, rand = bench_config(CambriconSConfig), rng(p_stall)
    await start(dut)
    ready(dut)
    slots = [random_slot(cfg, rand) for _ in range(15)]
    layout = slot_layout(cfg, "compute")
    cocotb.start_soon(send(dut, "i", [layout.const(slot).as_bits() for slot in slots]))
    wanted = [w for slot in slots for w in windows(cfg, slot)[0]]
    segments = [(slot, *s) for slot in slots for s in windows(cfg, slot)[1]]
    got, released, begun, cycles, asked = [], 0, 0, 0, (0, 0)
    while len(got) < len(wanted):
        stream_ready = p_stall == 0 or rand.random() > p_stall
        dut.o__ready.value = stream_ready
        await RisingEdge(dut.clk)
        cycles += 1
        if int(dut.segment_valid.value):
            segment = segment_layout(cfg).from_bits(int(dut.segment.value))
            slot, vector, final = segments[begun]
            assert segment.vector == vector and segment.width == slot["width"]
            assert segment.publish == (slot["publish"] and final)
            begun += 1
        released += int(dut.used__0.value) & 1
        if stream_ready and int(dut.o__valid.value):
            window = window_layout(cfg).from_bits(int(dut.o__payload.value))
            at, word, count, last = wanted[len(got)]
            assert window.as_bits() & 0xffff == at and window.index == word % (1 << cfg.window)
            assert (window.count, window.last) == (count, last)
            got.append(window)
        if int(dut.read.value):
            asked = int(dut.nbin_addr.value), int(dut.sib_word.value)
        assert int(dut.wrong_side.value) == int(dut.beyond.value) == 0
        dut.neurons.value = asked[0] & 0xffff
        dut.index.value = asked[1] % (1 << cfg.window)
    assert begun == len(segments) and released == len(slots)
    # Taken in 0, addressed from 1 on, at the output from 2 on: no cycle is lost between COMPUTEs.
    assert p_stall or cycles == len(wanted) + 2


@cocotb.test()
async def waits_and_mistakes(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    await start(dut)
    slot = random_slot(cfg, rand)
    names = ("nbout", "nbin", "sib", "sb", "book")
    dut.i__payload.value = slot_layout(cfg, "compute").const(slot).as_bits()
    dut.i__valid.value = 1
    for code, name in enumerate(names, 1):
        ready(dut)
        if name == "nbout":
            getattr(dut, f"nbout__{slot['nbout_side']}").value = State.FULL.value
        else:
            side = slot[f"{name}_side"]
            getattr(dut, f"state__{2 * code - 4 + side}").value = State.LEAVING.value
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        assert int(dut.lack.value) == code and not int(dut.i__ready.value)
        assert not int(dut.wrong_side.value)
    slot["acquire"] = 0
    dut.i__payload.value = slot_layout(cfg, "compute").const(slot).as_bits()
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert int(dut.wrong_side.value) and not int(dut.i__ready.value)
    slot |= {"acquire": 1, "nbin_first": cfg.nbin_granules}
    dut.i__payload.value = slot_layout(cfg, "compute").const(slot).as_bits()
    ready(dut)
    seen = False
    for _ in range(3):
        await RisingEdge(dut.clk)
        seen |= bool(int(dut.beyond.value))
    assert seen
