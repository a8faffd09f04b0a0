"""Bench of Core: shares of random layers; every sum against golden's, every cycle's work against
the recurrence."""
from dataclasses import asdict

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden import layers as arithmetic
from golden.mnf.core import multiply
from golden.mnf.passes import words
from golden.mnf.settings import dispatch_setting, load_setting
from hw.mnf.layouts import dispatch_layout, input_layout, load_layout, weight_layout
from sim.common.bench import bench_config, rng, start
from sim.mnf.cases import packer
from sim.mnf.flits import events_of


@cocotb.test()
async def sums_and_cycles_are_golden_s(dut):
    """Events as fast as they go, and events that come now and then."""
    given = bench_config()
    cfg, r = given["config"], rng()
    await start(dut)
    for _ in range(cfg.acc_entries):        # the sums are cleared after reset
        await RisingEdge(dut.clk)
    for layer, tensors, share in given["cases"]:
        events = events_of(layer, tensors, share)
        await set_up(dut, cfg, layer, tensors, share)
        vectors = [len(list(share.lanes.vectors(e))) for e in events] + [1]
        gap = r.choice([0, 0, 3, 12])
        offered = np.cumsum([r.randint(0, gap) for _ in vectors])
        times = multiply(offered, np.array(vectors), cfg)
        await run(dut, cfg, share, events, offered, times)
        rows = await drain(dut, cfg)
        check_sums(layer, tensors, share, rows)


async def set_up(dut, cfg, layer, tensors, share):
    """Registers and weights of a pass."""
    assert int(dut.idle.value)
    dut.load.value = packer(load_layout(cfg))(load_setting(share.lanes, cfg))
    dut.dispatch.value = packer(dispatch_layout(cfg))(dispatch_setting(share.lanes, cfg))
    pack = packer(weight_layout(cfg))
    for address, word in enumerate(words(share, layer, tensors.weights, cfg.lanes).tolist()):
        joined = sum((w & (1 << cfg.data_bits) - 1) << cfg.data_bits * n
                     for n, w in enumerate(word))
        dut.weight.value = 1 | pack({"address": address, "word": joined}) << 1
        await RisingEdge(dut.clk)
    dut.weight.value = 0


async def run(dut, cfg, share, events, offered, times):
    """Sends events and the end; when they are taken and when MACs are busy is the model's."""
    pack = packer(input_layout(cfg))
    queue = [pack({"event": asdict(e)}) for e in events] + [pack({"end": 1})]
    busy = set()
    for first, last in zip(times.first[:-1], times.last[:-1], strict=True):
        busy.update(range(int(first), int(last) + 1))
    macs, taken, _done = 0, [], False
    for cycle in range(int(times.last[-1]) + 2):
        ready = len(taken) < len(queue) and int(offered[len(taken)]) <= cycle
        dut.i__valid.value = ready
        if ready:
            dut.i__payload.value = queue[len(taken)]
        await RisingEdge(dut.clk)
        if ready and int(dut.i__ready.value):
            taken.append(cycle)
        assert int(dut.busy.value) == (cycle in busy), (cycle, share)
        assert int(dut.end.value) == (cycle == times.last[-1]), cycle
        macs += int(dut.macs.value)
    assert taken == times.taken.tolist()
    assert macs == sum(share.lanes.kl * (e.y_jump + 1) * (e.x_jump + 1) for e in events
                       ) * share.lanes.groups
    assert int(dut.idle.value)


async def drain(dut, cfg):
    """Every row of sums."""
    rows = []
    for cycle in range(cfg.acc_entries + 3):
        dut.drain__valid.value = cycle < cfg.acc_entries
        dut.drain__payload.value = min(cycle, cfg.acc_entries - 1)
        await RisingEdge(dut.clk)
        if int(dut.row_valid.value):
            rows.append([getattr(dut, f"row__{n}").value.to_signed() for n in range(cfg.lanes)])
    assert len(rows) == cfg.acc_entries
    return rows


def check_sums(layer, tensors, share, rows):
    sums = arithmetic.sums(layer, tensors.weights, tensors.activations)
    first = share.group * (layer.k // layer.groups) + share.k[0]
    for k in range(share.k[1] - share.k[0]):
        for y in range(*share.band):
            for x in range(layer.wo):
                neuron = (y - share.band[0]) * share.lanes.pitch + x
                bank, entry = share.lanes.place(neuron, k)
                assert rows[entry][bank] == sums[first + k, y, x], (layer, share, k, y, x)
