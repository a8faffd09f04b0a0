import pytest

from hw.common.stationary.loader import Loader
from hw.s2engine.config import S2Config
from sim.common.runner import simulate

MIXED = S2Config(rows=4, cols=3, group=6, mixed=True, fb_tokens=200, wb_tokens=200,
                 max_kernels=24, memory_bits=64)
ONE = S2Config(rows=1, cols=1, group=4, fb_tokens=64, wb_tokens=64, max_kernels=16)


@pytest.mark.parametrize("simulator, config", [("icarus", MIXED), ("icarus", ONE),
                                               ("verilator", MIXED)], ids=["0", "1", "verilated"])
def test_bench(simulator, config):
    simulate(Loader(config), "sim.s2engine.bench_loader", simulator=simulator, config=config)
