"""WDM: both sides of the codebook, plain synapses, and indices beyond its entries."""

import cocotb
from cocotb.triggers import RisingEdge

from hw.cambricon_s.config import ENTRIES, CambriconSConfig
from sim.common.bench import bench_config, rng, start


async def write(dut, cfg, side, book):
    size = cfg.memory_bits // cfg.data_bits
    for row in range(0, len(book), size):
        dut.write__en.value = 1
        dut.write__side.value = side
        dut.write__row.value = row // size
        dut.write__data.value = sum(value % (1 << cfg.data_bits) << n * cfg.data_bits
                                    for n, value in enumerate(book[row:row + size]))
        await RisingEdge(dut.clk)
    dut.write__en.value = 0


@cocotb.test()
async def looks_up_and_passes(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    await start(dut)
    half = 1 << cfg.data_bits - 1
    books = [[rand.randrange(-half, half) for _ in range(count)] for count in (ENTRIES, 16)]
    for side, book in enumerate(books):
        await write(dut, cfg, side, book)
    wanted = None
    for _ in range(200):
        side, plain = rand.randint(0, 1), rand.random() < 0.2
        used = len(books[side])
        valid = rand.getrandbits(cfg.tn)
        index = [rand.randrange(-half, half) % (2 * half) if plain else
                 rand.randrange(used) if rand.random() < 0.98 else rand.randrange(used, 1 << 16)
                 for _ in range(cfg.tn)]
        dut.side.value, dut.plain.value, dut.used.value, dut.valid.value = side, plain, used, valid
        for n, value in enumerate(index):
            getattr(dut, f"index__{n}").value = value
        await RisingEdge(dut.clk)
        if wanted is not None:
            values, error = wanted
            assert int(dut.error.value) == error
            for n, value in values.items():
                got = getattr(dut, f"synapse__{n}").value.to_signed()
                assert got == value, (n, got, value)
        lanes = [n for n in range(cfg.tn) if valid >> n & 1]
        bad = [n for n in lanes if not plain and index[n] >= used]
        values = {n: (index[n] + half) % (2 * half) - half if plain else books[side][index[n]]
                  for n in lanes if n not in bad}
        wanted = values, bool(bad)
