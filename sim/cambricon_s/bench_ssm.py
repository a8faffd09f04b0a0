"""SSM: every offset of every width."""

import cocotb
from cocotb.triggers import RisingEdge

from golden.cambricon_s.pe import aliased
from hw.cambricon_s.config import WIDTHS, CambriconSConfig
from sim.common.bench import bench_config, rng, start


@cocotb.test()
async def selects_every_synapse(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    await start(dut)
    for log, width in enumerate(WIDTHS):
        dut.width.value = log
        words = [rand.getrandbits(cfg.sb_word_bits) for _ in range(cfg.sb_view)]
        dut.view.value = sum(w << n * cfg.sb_word_bits for n, w in enumerate(words))
        synapses = aliased(words, width, cfg.sb_word_bits)
        order = rand.sample(range(len(synapses)), len(synapses))
        for at in range(0, len(order), cfg.tn):
            offsets = order[at:at + cfg.tn]
            for n, offset in enumerate(offsets):
                getattr(dut, f"offset__{n}").value = offset
            await RisingEdge(dut.clk)
            for n in range(len(offsets)):       # gone again: the output is a register's
                getattr(dut, f"offset__{n}").value = 0
            await RisingEdge(dut.clk)
            # What the edge above saw is the result of the offsets before it.
            for n, offset in enumerate(offsets):
                got = int(getattr(dut, f"synapse__{n}").value)
                assert got == synapses[offset], (width, n, offset)
