"""PEFU: sums of segments of vectors, extremes included, a vector per cycle."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.cambricon_s.pe import dot
from hw.cambricon_s.config import CambriconSConfig
from sim.common.bench import bench_config, rng, start

LATENCY = 3


@cocotb.test()
@cocotb.parametrize(p_idle=[0.0, 0.4])
async def sums_segments(dut, p_idle):
    cfg, rand = bench_config(CambriconSConfig), rng(p_idle)
    await start(dut)
    half = 1 << cfg.data_bits - 1
    gen = np.random.default_rng(rand.getrandbits(32))
    totals, got, parts = [], [], []
    pending = []            # cycles in which a total is due
    cycle = 0

    async def tick():
        nonlocal cycle
        await RisingEdge(dut.clk)
        due = cycle in pending
        assert int(dut.done.value) == due, f"cycle {cycle}"
        if due:
            got.append(dut.total.value.to_signed())
        cycle += 1

    for n in range(120):
        while p_idle and rand.random() < p_idle:
            dut.valid.value, dut.last.value = 0, 0
            await tick()
        extremes = rand.random() < 0.3
        neurons, synapses = (gen.choice([-half, half - 1], cfg.tn) if extremes else
                             gen.integers(-half, half, cfg.tn) for _ in range(2))
        valid = gen.random(cfg.tn) < rand.choice([0, 0.5, 1])
        last = rand.random() < 0.3 or n == 119
        dut.valid.value = sum(int(v) << k for k, v in enumerate(valid))
        dut.last.value = int(last)
        for k in range(cfg.tn):
            getattr(dut, f"neuron__{k}").value = int(neurons[k]) % (2 * half)
            getattr(dut, f"synapse__{k}").value = int(synapses[k]) % (2 * half)
        parts.append((neurons[valid], synapses[valid]))
        if last:
            pending.append(cycle + LATENCY)
            totals.append(dot(np.concatenate([a for a, _ in parts]),
                              np.concatenate([b for _, b in parts]), cfg.acc_bits))
            parts = []
        await tick()
    dut.valid.value, dut.last.value = 0, 0
    for _ in range(LATENCY + 2):
        await tick()
    assert got == totals
