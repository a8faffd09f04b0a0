"""NBin: rows from any granule on, with units to skip; windows from any granule on."""

import cocotb
from cocotb.triggers import RisingEdge

from hw.cambricon_s.config import CambriconSConfig
from sim.cambricon_s.fills import drive, row_of_beats
from sim.common.bench import bench_config, rng, start


@cocotb.test()
async def windows_of_what_was_loaded(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    bits, size = cfg.granule_bits, cfg.nbin_granules
    await start(dut)
    held = [[0] * size, [0] * size]
    for _ in range(30):
        side, first = rand.randint(0, 1), rand.randrange(size)
        skip = rand.choice([0, 0, rand.randrange(1, 4)])
        units = [rand.getrandbits(bits) for _ in range(rand.randint(1, size - first))]
        await drive(dut, row_of_beats(cfg, "nbin", units, bits, side=side, first=first, skip=skip,
                                      garbage=rand.getrandbits(4 * bits)))
        held[side][first:first + len(units)] = units
        for _ in range(6):
            side, at = rand.randint(0, 1), rand.randrange(size)
            dut.en.value, dut.side.value, dut.addr.value = 1, side, at
            await RisingEdge(dut.clk)
            dut.en.value, dut.addr.value = 0, rand.randrange(size)
            for _ in range(2):                                  # it holds
                await RisingEdge(dut.clk)
                there = held[side][at:at + cfg.window_granules]
                wanted = sum(value << n * bits for n, value in enumerate(there))
                got = dut.window.value.to_unsigned() if dut.window.value.is_resolvable else \
                    int(str(dut.window.value)[-len(there) * bits:], 2)
                assert got & (1 << len(there) * bits) - 1 == wanted, (side, at)


@cocotb.test()
async def nothing_beyond_the_side(dut):
    cfg, size = bench_config(CambriconSConfig), bench_config(CambriconSConfig).nbin_granules
    await start(dut)
    ones = (1 << cfg.granule_bits) - 1
    await drive(dut, row_of_beats(cfg, "nbin", [5] * size, cfg.granule_bits, side=1))
    seen = await drive(dut, row_of_beats(cfg, "nbin", [ones] * 3, cfg.granule_bits, first=size - 1),
                       dut.beyond)
    assert seen
    dut.en.value, dut.side.value, dut.addr.value = 1, 1, 0      # the other side begins there
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    assert int(dut.window.value) & ones == 5
    seen = await drive(dut, row_of_beats(cfg, "sib", [ones] * 3, cfg.granule_bits, first=size),
                       dut.beyond)
    assert not seen
