"""Bench of select and select_bit: every index, in range and beyond."""
import cocotb
from cocotb.triggers import Timer

from sim.common.bench import bench_config, rng


@cocotb.test()
async def every_index(dut):
    count, width, bits = (bench_config()[name] for name in ("count", "width", "bits"))
    r = rng()
    for index in range(max(count, bits) + 3):
        values = [r.getrandbits(width) for _ in range(count)]
        long = r.getrandbits(bits)
        dut.values.value = sum(v << n * width for n, v in enumerate(values))
        dut.bits.value, dut.index.value = long, index
        await Timer(1, "ns")
        assert int(dut.value.value) == (values[index] if index < count else 0), index
        assert int(dut.bit.value) == (long >> index & 1), index
