"""WDM: one side of the codebook is read, the other written; plain synapses, indices beyond."""

import cocotb
from cocotb.triggers import RisingEdge

from hw.cambricon_s.config import ENTRIES, CambriconSConfig
from sim.common.bench import bench_config, rng, start

ROUNDS, CYCLES = 12, 60         # new codebooks, and how long each is read at least


def drive_row(dut, cfg, side, row, book):
    """Offers a beat of the codebook to be written; none beyond its end."""
    size = cfg.memory_bits // cfg.data_bits
    entries = book[row * size:(row + 1) * size]
    dut.write__en.value = bool(entries)
    dut.write__side.value, dut.write__row.value = side, row % cfg.book_rows
    dut.write__data.value = sum(value % (1 << cfg.data_bits) << n * cfg.data_bits
                                for n, value in enumerate(entries))


def random_index(rand, used):
    """Mostly one of the codebook's; else just beyond it, or far."""
    if rand.random() < 0.8:
        return rand.randrange(used)
    far = rand.randrange(used) | 1 << rand.randrange(16)
    return rand.choice([used, used - 1, far, far])


def signed(value, bits):
    """The low bits, as a signed number."""
    half = 1 << bits - 1
    return (value + half) % (2 * half) - half


@cocotb.test()
async def looks_up_and_passes(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    await start(dut)
    half, bits = 1 << cfg.data_bits - 1, cfg.data_bits
    books, side, wanted = [[], []], 0, None
    for number in range(ROUNDS):
        used = rand.choice([16, ENTRIES, ENTRIES, rand.randint(2, ENTRIES)])
        coming = [rand.randrange(-half, half) for _ in range(used)]
        for row in range(max(CYCLES, cfg.book_rows)):
            drive_row(dut, cfg, 1 - side, row, coming)
            book = books[side] or [0]
            plain = not number or rand.random() < 0.2
            valid = rand.getrandbits(cfg.tn)
            index = [rand.getrandbits(bits) if plain else random_index(rand, len(book))
                     for _ in range(cfg.tn)]
            dut.side.value, dut.plain.value = side, plain
            dut.used.value, dut.valid.value = len(book), valid
            for n, value in enumerate(index):
                getattr(dut, f"index__{n}").value = value
            await RisingEdge(dut.clk)
            if wanted is not None:
                check(dut, *wanted)
            lanes = [n for n in range(cfg.tn) if valid >> n & 1]
            bad = [n for n in lanes if not plain and index[n] >= len(book)]
            wanted = {n: signed(index[n], bits) if plain else book[index[n]]
                      for n in lanes if n not in bad}, bool(bad)
        books[1 - side], side = coming, 1 - side
    # A reset forgets an error.
    dut.plain.value, dut.valid.value, dut.used.value, dut.index__0.value = 0, 1, 2, 3
    for rst in (0, 1, 0):
        dut.rst.value = rst
        await RisingEdge(dut.clk)
        assert rst == 0 or dut.error.value == 1
    assert dut.error.value == 0


def check(dut, values, error):
    assert int(dut.error.value) == error
    for n, value in values.items():
        got = getattr(dut, f"synapse__{n}").value.to_signed()
        assert got == value, (n, got, value)
