"""SB: a view of consecutive words from any word on, of either side."""

import cocotb
from cocotb.triggers import RisingEdge

from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.sb import sb_fill_layout
from sim.common.bench import bench_config, rng, start


@cocotb.test()
async def views_of_what_was_loaded(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    layout, bits = sb_fill_layout(cfg), cfg.sb_word_bits
    cell = min(bits, cfg.memory_bits)
    await start(dut)
    held = [[0] * cfg.sb_words, [0] * cfg.sb_words]
    for _ in range(60):
        side, word = rand.randint(0, 1), rand.randrange(cfg.sb_words)
        value = held[side][word] = rand.getrandbits(bits)
        for part in range(bits // cell):
            dut.fill.value = layout.const({
                "valid": 1, "side": side, "word": word, "part": part,
                "data": value >> part * cell & (1 << cell) - 1}).as_bits()
            await RisingEdge(dut.clk)
        dut.fill.value = layout.const({"valid": 0, "side": side, "word": word,
                                       "data": rand.getrandbits(cell)}).as_bits()
        side, word = rand.randint(0, 1), rand.randint(0, cfg.sb_words - cfg.sb_view)
        dut.side.value, dut.word.value = side, word
        await RisingEdge(dut.clk)
        dut.word.value = 0
        await RisingEdge(dut.clk)
        there = held[side][word:word + cfg.sb_view]
        assert int(dut.view.value) == sum(v << n * bits for n, v in enumerate(there)), (side, word)
