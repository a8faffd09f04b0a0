import pytest

from hw.common.stationary.buffer import Bank
from hw.s2engine.config import S2Config
from sim.common.runner import simulate

SMALL = S2Config(group=4, mixed=True, fb_tokens=50, wb_tokens=65, memory_bits=64)
NARROW = S2Config(group=6, mixed=False, fb_tokens=24, wb_tokens=30, memory_bits=128)


@pytest.mark.parametrize("simulator, config, weights", [
    ("icarus", SMALL, False), ("icarus", SMALL, True), ("icarus", NARROW, False),
    ("icarus", NARROW, True), ("verilator", SMALL, True)], ids=range(5))
def test_bench(simulator, config, weights):
    simulate(Bank(config, weights), "sim.s2engine.bench_buffer", simulator=simulator,
             config=(config, weights))
