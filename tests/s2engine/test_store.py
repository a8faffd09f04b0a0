import pytest

from hw.common.stationary.store import Store
from hw.s2engine.config import S2Config
from sim.common.runner import simulate

MIXED = S2Config(rows=4, cols=3, group=6, mixed=True, pool_groups=30, memory_bits=64)
NARROW = S2Config(rows=1, cols=1, group=5, pool_groups=25)


@pytest.mark.parametrize("config", [MIXED, NARROW], ids=["0", "1"])
def test_bench(config):
    simulate(Store(config), "sim.s2engine.bench_store", simulator="icarus", config=config)
