"""A shell between cocotbext-axi's master and RAM, every channel stalled at random."""
import itertools
import zlib

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam, AxiResp

from sim.common.axi_bus import FlatBus
from sim.common.bench import bench_config, rng, start

SIZE, LIST = 1 << 16, 0x100


class Bench:
    """Registers by name, the RAM, and pauses."""
    def __init__(self, dut):
        self.dut, self.offsets = dut, bench_config()["registers"]
        bus = AxiLiteBus.from_prefix(FlatBus(dut, "control"), "control")
        self.master = AxiLiteMaster(bus, dut.clk, dut.rst)
        self.ram = AxiRam(AxiBus.from_prefix(FlatBus(dut, "memory"), "memory"), dut.clk, dut.rst,
                          size=SIZE)

    def pause(self, random, p_stall):
        write, read = self.master.write_if, self.master.read_if
        ram_write, ram_read = self.ram.write_if, self.ram.read_if
        for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel,
                        read.r_channel, ram_write.aw_channel, ram_write.w_channel,
                        ram_write.b_channel, ram_read.ar_channel, ram_read.r_channel):
            pauses = [random.random() < p_stall for _ in range(997)]
            channel.set_pause_generator(itertools.cycle(pauses))

    async def write(self, name, value):
        response = await self.master.write(self.offsets[name], value.to_bytes(4, "little"))
        return response.resp

    async def read(self, name):
        response = await self.master.read(self.offsets[name], 4)
        assert response.resp == AxiResp.OKAY
        return int.from_bytes(response.data, "little")

    async def run(self, descriptors):
        """Runs descriptors (bytes, with their CRC); returns (STATUS, ERROR)."""
        self.ram.write(LIST, b"".join(descriptors))
        for name, value in (("DESC_ADDR_LO", LIST), ("DESC_COUNT", len(descriptors)),
                            ("IRQ_STATUS", 1), ("CONTROL", 1)):
            assert await self.write(name, value) == AxiResp.OKAY
        if not int(self.dut.irq.value):
            await with_timeout(RisingEdge(self.dut.irq), 10, "ms")
        return await self.read("STATUS"), await self.read("ERROR")


def descriptor(source, target, beats, beat):
    """Of ``tests/common/copy_engine.py``: source, target, beats and as much room, 0, CRC."""
    body = b"".join(n.to_bytes(4, "little") for n in (source, target, beats << 16 | beats, 0))
    words = body + zlib.crc32(body).to_bytes(4, "little")
    return words + bytes(-len(words) % beat)


@cocotb.test()
async def copies(dut):
    random, beat = rng(), bench_config()["data_bits"] // 8
    await start(dut)
    bench = Bench(dut)
    await ClockCycles(dut.clk, 3)
    for p_stall in (0, 0.3, 0.7, 0.5):
        bench.pause(random, p_stall)
        content = random.randbytes(SIZE)
        bench.ram.write(0, content)
        copies = [(random.randrange(0x1000, 0x7000) // beat * beat, 0x8000 + n * 0x1800 + at * beat,
                   random.randrange(1, 60)) for n, at in enumerate(random.choices(range(9), k=5))]
        listed = [descriptor(*copy, beat) for copy in copies]
        assert await bench.run(listed) == (2, 0)
        expected = bytearray(content)
        expected[LIST:LIST + len(b"".join(listed))] = b"".join(listed)
        for source, target, beats in copies:
            expected[target:target + beats * beat] = content[source:source + beats * beat]
        assert bench.ram.read(0, SIZE) == bytes(expected)
        assert await bench.read("BEATS_LO") == sum(beats for *_, beats in copies)


@cocotb.test()
async def refusals(dut):
    """What the register file refuses: unmapped, read-only, locked while busy."""
    await start(dut)
    bench = Bench(dut)
    await ClockCycles(dut.clk, 3)
    assert await bench.write("ID", 1) == AxiResp.SLVERR
    response = await bench.master.read(0xffc, 4)
    assert response.resp == AxiResp.SLVERR
    beat = bench_config()["data_bits"] // 8
    running = cocotb.start_soon(bench.run([descriptor(0x1000, 0x8000, 400, beat)]))
    while not await bench.read("STATUS") & 1:
        pass
    assert await bench.write("DESC_COUNT", 5) == AxiResp.SLVERR
    assert await bench.write("WINDOW_BASE_LO", 5) == AxiResp.SLVERR
    assert await running == (2, 0)
    assert await bench.write("DESC_COUNT", 1) == AxiResp.OKAY
