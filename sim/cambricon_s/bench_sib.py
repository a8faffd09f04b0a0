"""SIB: words of rows of beats, one per cycle; what is beyond a side or inside a row."""

import cocotb
from cocotb.triggers import RisingEdge

from hw.cambricon_s.config import CambriconSConfig
from sim.cambricon_s.fills import drive, row_of_beats
from sim.common.bench import bench_config, rng, start


@cocotb.test()
async def words_of_what_was_loaded(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    each = max(1, cfg.memory_bits // cfg.index_bits)
    await start(dut)
    held = [[0] * cfg.sib_words, [0] * cfg.sib_words]
    for _ in range(20):
        side = rand.randint(0, 1)
        first = rand.randrange(0, cfg.sib_words, each)
        count = rand.randint(1, cfg.sib_words - first)
        units = [rand.getrandbits(cfg.index_bits) for _ in range(count)]
        beats = row_of_beats(cfg, "sib", units, cfg.index_bits, side=side, first=first)
        assert not await drive(dut, beats, dut.beyond)
        held[side][first:first + len(units)] = units
        for _ in range(6):
            side, word = rand.randint(0, 1), rand.randrange(cfg.sib_words)
            dut.en.value, dut.side.value, dut.word.value = 1, side, word
            await RisingEdge(dut.clk)
            dut.en.value, dut.word.value = 0, rand.randrange(cfg.sib_words)
            for _ in range(2):
                await RisingEdge(dut.clk)
                assert int(dut.index.value) == held[side][word]


@cocotb.test()
async def beyond_the_side(dut):
    cfg = bench_config(CambriconSConfig)
    await start(dut)
    words = cfg.sib_words
    for first, units in ((0, words + 1), (1, 1)):
        beats = row_of_beats(cfg, "sib", [1] * units, cfg.index_bits, first=first)
        seen = await drive(dut, beats, dut.beyond)
        assert bool(seen) == (first == 0 or cfg.memory_bits > cfg.index_bits)
