"""SSM: every offset of every width, in every lane, of ever new words."""

import cocotb
from cocotb.triggers import RisingEdge

from golden.cambricon_s.pe import aliased
from hw.cambricon_s.config import WIDTHS, CambriconSConfig
from sim.common.bench import bench_config, rng, start

ROUNDS = 24         # views of a width, at least


@cocotb.test()
async def selects_every_synapse(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    await start(dut)
    before = None           # what the edge before saw: width, synapses wanted
    for log, width in enumerate(WIDTHS):
        count = cfg.sb_view * cfg.sb_word_bits // width
        times = -(-ROUNDS // count)
        orders = [[at for _ in range(times) for at in rand.sample(range(count), count)]
                  for _ in range(cfg.tn)]
        for offsets in zip(*orders, strict=True):
            words = [rand.getrandbits(cfg.sb_word_bits) for _ in range(cfg.sb_view)]
            synapses = aliased(words, width, cfg.sb_word_bits)
            dut.width.value = log
            dut.view.value = sum(w << n * cfg.sb_word_bits for n, w in enumerate(words))
            for n, offset in enumerate(offsets):
                getattr(dut, f"offset__{n}").value = offset
            await RisingEdge(dut.clk)
            if before is not None:
                got = [int(getattr(dut, f"synapse__{n}").value) for n in range(cfg.tn)]
                assert got == before, width
            before = [synapses[offset] for offset in offsets]
