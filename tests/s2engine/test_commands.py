import pytest

from hw.common.stationary.commands import Commands
from hw.s2engine.config import S2Config
from sim.common.runner import simulate


@pytest.mark.parametrize("simulator, rows", [("icarus", 5), ("icarus", 1), ("verilator", 4)])
def test_bench(simulator, rows):
    config = S2Config(rows=rows)
    simulate(Commands(config), "sim.s2engine.bench_commands", simulator=simulator, config=config)
