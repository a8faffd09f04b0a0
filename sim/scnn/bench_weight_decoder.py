"""Decoder: blocks cut into lines anyhow come out with golden offsets; bad lines raise the error."""

import cocotb
from cocotb.triggers import RisingEdge

from golden.scnn.weight_lines import offsets
from hw.scnn.config import SCNNConfig
from hw.scnn.layouts import (
    TARGET_ALL,
    SlotKind,
    decoded_line_layout,
    element_layout,
    layer_layout,
    line_layout,
)
from sim.common.bench import bench_config, recv, reset, rng, send, start


def pack(cfg, slots, channel=0, **flags):
    """A line's word from [(kind, first, last, step, elements)]; elements are (value, run)."""
    headers = [{"kind": SlotKind.EMPTY}] * cfg.weight_bus
    words = [0] * cfg.weight_bus
    for n, (kind, first, last, step, elements) in enumerate(slots):
        headers[n] = {"kind": kind, "first": first, "last": last, "step": step}
        for e, (value, run) in enumerate(elements):
            bits = element_layout(cfg).const({"value": value, "run": run}).as_bits()
            words[n] |= bits << (e * cfg.element_bits)
    return line_layout(cfg).const({"target": TARGET_ALL, "channel": channel, "headers": headers,
                                   "slots": words, **flags}).as_bits()


def random_blocks(rand, cfg, kernel_rows, kernel_row, count):
    """Slots of `count` blocks with the offsets that they must get."""
    slots, channel = [], 0
    for _ in range(count):
        step = rand.randint(0, 3)
        channel += step
        runs, position = [], -1
        longest = 2**cfg.index_bits - 1
        while len(runs) < cfg.fifo_entries * cfg.mults_f // 3:
            run = rand.randint(0, longest)
            if position + run + 1 >= kernel_rows * kernel_row:
                break
            runs.append(run)
            position += run + 1
        runs = runs or [0]
        wanted = offsets(runs, kernel_row, 0), runs
        f = cfg.mults_f
        parts = [(runs[n:n + f], wanted[0][n:n + f]) for n in range(0, len(runs), f)]
        for n, (part, _) in enumerate(parts):
            elements = [(rand.choice([-3, 5, 7]), run) for run in part]
            slots.append((SlotKind.WEIGHT, n == 0, n == len(parts) - 1, step if n == 0 else 0,
                          elements, channel))
    return slots


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def decodes_as_golden(dut, p_stall):
    cfg, rand = bench_config(SCNNConfig), rng()
    await start(dut)
    for _ in range(6):
        kernel_rows = rand.randint(1, min(5, cfg.max_kernel))
        kernel_row = rand.randint(1, 20)
        gap = rand.randint(0, 9)
        slots = random_blocks(rand, cfg, kernel_rows, kernel_row, 12)
        lines, wanted = [], []
        while slots:
            take = [slots.pop(0) for _ in range(min(len(slots), cfg.weight_bus))]
            base = take[0][5]
            cut = [(k, f, la, 0 if n == 0 else s, e) for n, (k, f, la, s, e, _) in enumerate(take)]
            lines.append(pack(cfg, cut, base, end_group=not slots))
            wanted.append([(c, f, la, e) for _, f, la, _, e, c in take])
        await begin(dut, {"kernel_rows": kernel_rows, "kernel_row": kernel_row, "kernel_gap": gap,
                          "groups": 1, "weight_lines": len(lines)})
        sender = cocotb.start_soon(send(dut, "i", lines, rand, p_stall))
        words, cycles = await recv(dut, "o", len(lines), rand, p_stall)
        await sender
        check(cfg, words, wanted, kernel_row, gap)
        assert int(dut.error.value) == 0
        assert p_stall or cycles == len(lines) + 2
        assert int(dut.complete.value) == 1


def check(cfg, words, wanted, kernel_row, gap):
    runs = []
    for word, slots in zip(words, wanted, strict=True):
        line = decoded_line_layout(cfg).from_bits(word & (2**decoded_line_layout(cfg).size - 1))
        for n, (channel, first, _, elements) in enumerate(slots):
            slot = line.slots[n]
            assert (slot.channel, slot.first) == (channel, first)
            runs = [] if first else runs
            runs += [run for _, run in elements]
            expected = offsets(runs, kernel_row, gap)[-len(elements):]
            got = [(slot.elements[e].value, slot.elements[e].offset) for e in range(len(elements))]
            assert got == [(v, o % 2**len(bin(cfg.acc_depth - 1)[2:]))
                           for (v, _), o in zip(elements, expected, strict=True)]


async def begin(dut, fields):
    dut.layer.value = layer_layout().const(fields).as_bits()
    dut.start.value = 1
    await RisingEdge(dut.clk)
    dut.start.value = 0


@cocotb.test()
async def refuses_bad_lines(dut):
    cfg = bench_config(SCNNConfig)
    weight = [(1, 0)]
    good = (SlotKind.WEIGHT, 1, 1, 0, weight)
    bad = {
        "too few groups": [pack(cfg, [good])],
        "continues nothing": [pack(cfg, [(SlotKind.WEIGHT, 0, 1, 0, weight)])],
        "opens twice": [pack(cfg, [(SlotKind.WEIGHT, 1, 0, 0, weight)]), pack(cfg, [good])],
        "group ends in a block": [pack(cfg, [(SlotKind.WEIGHT, 1, 0, 0, weight)], end_group=1)],
        "row among weights": [pack(cfg, [(SlotKind.ROW, 1, 1, 0, weight)])],
        "section end among weights": [pack(cfg, [good], end_section=1)],
        "channel out of range": [pack(cfg, [good], channel=cfg.max_channels)],
        "weight outside the kernel": [pack(cfg, [(SlotKind.WEIGHT, 1, 1, 0,
                                                  [(1, 2**cfg.index_bits - 1)])])],
        "block longer than the FIFO": [pack(cfg, [(SlotKind.WEIGHT, n == 0, 0, 0, [(0, 0)])])
                                       for n in range(cfg.fifo_lines + 1)],
    }
    await start(dut)
    for why, lines in bad.items():
        await reset(dut)
        await begin(dut, {"kernel_rows": 1, "kernel_row": 2, "kernel_gap": 0, "groups": 1,
                          "weight_lines": 1 if why == "too few groups" else 99})
        dut.o__ready.value = 1
        await send(dut, "i", lines)
        for _ in range(4):
            await RisingEdge(dut.clk)
        assert int(dut.error.value) == 1, why
    await reset(dut)
    assert int(dut.error.value) == 0
