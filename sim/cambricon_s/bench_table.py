"""Sigmoid and tanh: every input, one per cycle, two cycles later."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.cambricon_s.functions import apply
from hw.cambricon_s.config import CambriconSConfig
from sim.common.bench import bench_config, rng, start


@cocotb.test()
async def as_golden(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    await start(dut)
    limit = 1 << cfg.data_bits - 1
    values = [-limit, limit - 1, -1, 0, 1, *(rand.randrange(-limit, limit) for _ in range(250))]
    for n, function in enumerate(("sigmoid", "tanh")):
        wanted = apply(function, np.array(values), cfg.data_bits, cfg.table_bits).tolist()
        dut.tanh.value, got = n, []
        for value in (*values, 0, 0):
            dut.i.value = value % (2 * limit)
            await RisingEdge(dut.clk)
            got.append(dut.o.value)
        assert [g.to_signed() for g in got[2:]] == wanted
