"""Bench of Load: vectors and weight addresses of random events, at full rate and with stalls."""
from dataclasses import asdict

import cocotb
from cocotb.triggers import RisingEdge

from golden.mnf.events import Event
from golden.mnf.lanes import LaneMap
from golden.mnf.settings import load_setting
from hw.mnf.layouts import input_layout, load_layout, vector_layout
from sim.common.bench import bench_config, recv, reset, rng, send, start
from sim.mnf.cases import packer, random_events, random_lanes


class Reads:
    """The addresses of the weight SRAM's reads, and the cycles that they came in."""

    def __init__(self, dut):
        self.addresses, self.cycles, self.dut = [], [], dut
        cocotb.start_soon(self._watch())

    async def _watch(self):
        cycle = 0
        while True:
            await RisingEdge(self.dut.clk)
            if int(self.dut.read.value):
                self.addresses.append(int(self.dut.address.value))
                self.cycles.append(cycle)
            cycle += 1


def inputs(cfg, events):
    """Events as words; None is the end of the data."""
    pack = packer(input_layout(cfg))
    return [pack({"end": 1} if e is None else {"event": asdict(e)}) for e in events]


async def run(dut, cfg, lanes, base, events, r, p_stall):
    """(vectors, addresses, cycles) of events."""
    dut.setting.value = packer(load_layout(cfg))(load_setting(lanes, cfg, base))
    count = sum(1 if e is None else len(list(lanes.vectors(e))) for e in events)
    reads = Reads(dut)
    sender = cocotb.start_soon(send(dut, "i", inputs(cfg, events), r, p_stall))
    words, cycles = await recv(dut, "o", count, r, p_stall)
    await sender
    layout = vector_layout(cfg)
    return [layout.from_bits(word) for word in words], reads.addresses, cycles


def check(cfg, lanes, base, events, vectors, addresses):
    """Every vector and every address is golden's."""
    expected = []
    vectors = iter(vectors)
    for event in events:
        if event is None:
            assert next(vectors).end
            continue
        for vector in lanes.vectors(event):
            got = next(vectors)
            entry = (vector.entry + base) % (1 << cfg.entry_bits)
            assert not got.end and got.value == event.value, (event, vector)
            assert (got.entry, got.rotation, got.rows, got.cols) == (
                entry, vector.rotation, vector.rows, vector.cols), (lanes, event, vector)
            expected.append(vector.weight)
    assert addresses == expected


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def vectors_are_golden_s(dut, p_stall):
    """Without stalls: five cycles of latency, and then a vector in every cycle."""
    cfg, r = bench_config(), rng(p_stall)
    await start(dut)
    for _ in range(15):
        lanes, geometry, channels, band = random_lanes(cfg, r)
        base = r.randint(0, cfg.acc_entries - lanes.groups * lanes.stretch)
        events = random_events(cfg, r, lanes, geometry, channels, band, 30)
        for _ in range(3):
            events.insert(r.randrange(31), None)
        vectors, addresses, cycles = await run(dut, cfg, lanes, base, events, r, p_stall)
        check(cfg, lanes, base, events, vectors, addresses)
        assert p_stall or cycles == len(vectors) + 5
        await RisingEdge(dut.clk)
        assert int(dut.idle.value)


@cocotb.test()
async def fig_3_as_printed(dut):
    """Weights 4, 3, 1, 0 to neurons 0, 1, 4, 5, with the pitch of 4 that the figure has."""
    cfg, r = bench_config(), rng()
    await start(dut)
    lanes = LaneMap(pr=1, pc=1, kl=1, pitch=4, taps=(3, 3), stretch=8)
    event = Event(100, 0, 1, 1, 0, 1, 1)
    vectors, addresses, _ = await run(dut, cfg, lanes, 0, [event], r, 0.0)
    assert addresses == [4, 3, 1, 0]
    assert [v.entry for v in vectors] == [0, 1, 4, 5]


@cocotb.test()
async def what_the_pass_does_not_have_is_bad(dut):
    """Taps, words of weights and neurons just within and just beyond what there is."""
    cfg, r = bench_config(), rng()
    await start(dut)
    seen = {True: 0, False: 0}
    for _ in range(250):
        lanes, *_ = random_lanes(cfg, r)
        event = on_the_edge(cfg, lanes, r)
        dut.setting.value = packer(load_layout(cfg))(load_setting(lanes, cfg))
        dut.i__valid.value, dut.i__payload.value = 1, inputs(cfg, [event])[0]
        await RisingEdge(dut.clk)       # taken, into DECODE
        assert not int(dut.bad.value)
        dut.i__valid.value = 0
        await RisingEdge(dut.clk)       # which it leaves
        bad = beyond(cfg, lanes, event)
        assert int(dut.bad.value) == bad, (lanes, event)
        seen[bad] += 1
        await RisingEdge(dut.clk)
        assert not int(dut.bad.value)
        await reset(dut)                # a bad one may walk for long
    assert min(seen.values()) > 30


def on_the_edge(cfg, lanes, r):
    """An event of which each field is the last good one, mostly, or the first bad one."""
    def edge(last, most):
        return max(0, min(last + r.choice([0, 0, 0, 0, 1]), most))
    tap_row, tap_col = (edge(taps - 1, cfg.max_kernel) for taps in lanes.taps)
    y_jump, x_jump = edge(tap_row, cfg.max_kernel), edge(tap_col, cfg.max_kernel)
    last = lanes.stretch * lanes.positions - 1
    neuron = last - y_jump * lanes.pitch - x_jump
    channels = cfg.weight_words // lanes.words
    return Event(1, edge(channels - 1, channels), tap_row, tap_col,
                 edge(max(0, neuron), (1 << cfg.neuron_bits) - 1), y_jump, x_jump)


def beyond(cfg, lanes, event):
    """Whether an event reaches a tap, a word or a neuron that is not there."""
    last_word = (event.channel + 1) * lanes.words - 1
    last_neuron = event.neuron + event.y_jump * lanes.pitch + event.x_jump
    return (event.tap_row >= lanes.taps[0] or event.tap_col >= lanes.taps[1]
            or event.y_jump > event.tap_row or event.x_jump > event.tap_col
            or last_word >= cfg.weight_words or last_neuron >= lanes.stretch * lanes.positions)
