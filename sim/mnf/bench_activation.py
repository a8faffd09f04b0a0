"""Bench of Activation: what shares of random layers fire, in order; the cycles of a drain."""
import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.mnf.fire import drain_setting, drained, fire
from hw.mnf.layouts import bias_layout, drain_layout, fired_layout
from sim.common.bench import bench_config, pulse, recv, rng, start
from sim.mnf.cases import packer


def banks_of(cfg, layer, share, sums):
    """The accumulate SRAM of a share: [entry][bank]; what is no sum is nonsense."""
    banks = np.full((cfg.acc_entries, cfg.lanes), 77, np.int64)
    first = share.group * (layer.k // layer.groups)
    for k in range(*share.k):
        for y in range(*share.band):
            for x in range(layer.wo):
                neuron = (y - share.band[0]) * share.lanes.pitch + x
                bank, entry = share.lanes.place(neuron, k - share.k[0])
                banks[entry, bank] = sums[first + k, y, x]
    return banks.tolist()


async def cluster(dut, cfg, banks, base, r, p_stall):
    """Answers drains two cycles later, once each; not ready now and then."""
    coming = [None, None]
    while True:
        dut.drain__ready.value = r.random() >= p_stall
        row = coming.pop(0)
        dut.row_valid.value = row is not None
        for n in range(cfg.lanes):
            getattr(dut, f"row__{n}").value = row[n] if row else r.getrandbits(cfg.acc_bits - 1)
        await RisingEdge(dut.clk)
        asked = int(dut.drain__valid.value) and int(dut.drain__ready.value)
        entry = (int(dut.drain__payload.value) - base) % (1 << cfg.entry_bits)
        coming.append(banks[entry] if asked else None)


async def set_up(dut, cfg, layer, share, bias, threshold, base):
    assert int(dut.done.value)
    dut.setting.value = packer(drain_layout(cfg))(drain_setting(share, layer, threshold, base))
    first = share.group * (layer.k // layer.groups) + share.k[0]
    for n in range(share.k[1] - share.k[0]):
        value = 0 if bias is None else int(bias[first + n])
        dut.bias.value = 1 | packer(bias_layout(cfg))({"address": n, "value": value}) << 1
        await RisingEdge(dut.clk)
    dut.bias.value = 0


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def fires_golden_s_events(dut, p_stall):
    given = bench_config()
    cfg, r = given["config"], rng(p_stall)
    await start(dut)
    await RisingEdge(dut.clk)
    fired = 0
    for layer, tensors, (share,), sums in given["cases"]:
        threshold = r.choice([0, 0, 1, 20])
        base = r.randint(0, cfg.acc_entries - share.lanes.groups * share.lanes.stretch)
        await set_up(dut, cfg, layer, share, tensors.bias, threshold, base)
        task = cocotb.start_soon(cluster(dut, cfg, banks_of(cfg, layer, share, sums), base, r,
                                         p_stall))
        await pulse(dut.clk, dut.start)
        expected = fire(share, layer, sums, tensors.bias, threshold).tolist()
        words, cycles = await recv(dut, "o", len(expected) + 1, r, p_stall)
        task.cancel()
        got = [fired_layout(cfg).from_bits(word) for word in words]
        assert [(e.end, e.value, e.channel, e.y, e.x) for e in got[:-1]] == [
            (0, *row) for row in expected], (layer, share)
        assert got[-1].end
        if not p_stall and share.lanes.used >= 4:
            assert cycles == drained(share) + 14
        fired += len(expected)
        dut.row_valid.value = 0
        await RisingEdge(dut.clk)
    assert fired > 50
