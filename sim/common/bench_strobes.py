"""A Writer whose beats say which of their bytes are written."""

import cocotb

from sim.common.bench import bench_config, rng, start
from sim.common.dma_driver import read_all, settings, write_all


@cocotb.test()
@cocotb.parametrize(stall=[0, 150])
async def only_the_bytes_of_the_strobe(dut, stall):
    bits, random = bench_config()["data_bits"], rng(stall)
    size = bits // 8
    await start(dut)
    await settings(dut, random, size, stall_aw=stall, stall_w=stall)
    regions = [(3, 7), (10, 1), (500, 40)]
    memory = {}
    for whole in (True, False, False):
        words = []
        for at, count in regions:
            words.append([])
            for beat in range(at, at + count):
                data = random.getrandbits(bits)
                strobe = (1 << size) - 1 if whole else random.getrandbits(size)
                words[-1].append(data | strobe << bits + 1)
                mask = sum(0xff << 8 * n for n in range(size) if strobe >> n & 1)
                memory[beat] = memory.get(beat, 0) & ~mask | data & mask
        await write_all(dut, regions, words, random, 0)
    got = await read_all(dut, regions, random, 0)
    assert [word for word, _ in got] == [memory[at + n] for at, count in regions
                                         for n in range(count)]
