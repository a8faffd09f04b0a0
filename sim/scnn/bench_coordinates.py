"""Bench of Coordinates: every sum, wraps included."""
import cocotb
import numpy as np
from cocotb.triggers import Timer

from hw.scnn.config import SCNNConfig
from sim.common.bench import bench_config


@cocotb.test()
async def adds_all_pairs(dut):
    config = bench_config(SCNNConfig)
    bits = config.acc_addr_bits
    r = np.random.default_rng(cocotb.RANDOM_SEED)
    for _ in range(100):
        offsets = r.integers(0, 1 << bits, config.mults_f)
        addresses = r.integers(0, 1 << bits, config.mults_i)
        dut.offsets.value = _pack(offsets, bits)
        dut.addresses.value = _pack(addresses, bits)
        await Timer(1, "ns")
        expected = np.add.outer(offsets, addresses).ravel() % (1 << bits)
        assert int(dut.products.value) == _pack(expected, bits)


def _pack(values, bits):
    return sum(int(v) << n * bits for n, v in enumerate(values))
