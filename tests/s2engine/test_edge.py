import pytest

from hw.common.stationary.edge import Edge
from hw.s2engine.config import S2Config
from sim.common.runner import simulate

MIXED = S2Config(rows=3, cols=5, group=6, mixed=True, max_kernels=24, pool_groups=30)
NARROW = S2Config(rows=2, cols=3, group=4, mixed=False, acc_bits=20, max_kernels=16)


@pytest.mark.parametrize("simulator, config", [("icarus", MIXED), ("icarus", NARROW),
                                               ("verilator", MIXED)], ids=["0", "1", "verilated"])
def test_bench(simulator, config):
    simulate(Edge(config), "sim.s2engine.bench_edge", simulator=simulator, config=config)
