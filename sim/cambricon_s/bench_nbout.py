"""NBout: the NFU's vectors and STORE's, in every cycle, a write seen by the read beside it."""

import cocotb
from cocotb.triggers import RisingEdge

from hw.cambricon_s.config import CambriconSConfig
from sim.common.bench import bench_config, rng, start


@cocotb.test()
async def vectors_of_both_sides(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    bits, size = cfg.tm * cfg.acc_bits, cfg.nbout_vectors
    place = (size - 1).bit_length()
    await start(dut)
    held = [[0] * size, [0] * size]
    wanted = None
    for _ in range(300):
        side, en = rand.randint(0, 1), rand.randint(0, 1)
        vector, stored = rand.randrange(size), rand.randrange(size)
        written = rand.choice([vector, rand.randrange(size)])
        value, write = rand.getrandbits(bits), rand.randint(0, 1)
        dut.read.value = en | side << 1 | vector << 2
        dut.store.value = (1 - side) | stored << 1
        dut.write.value = write | side << 1 | written << 2 | value << 2 + place
        await RisingEdge(dut.clk)
        if wanted is not None:
            sums, old = wanted
            assert sums is None or int(dut.sums.value) == sums
            assert int(dut.stored.value) == old
        if write:
            held[side][written] = value
        wanted = (held[side][vector] if en else None), held[1 - side][stored]
