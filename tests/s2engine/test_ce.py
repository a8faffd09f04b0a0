import pytest

from golden.s2engine import ce
from hw.s2engine.ce import CE, CEArray
from sim.common.runner import simulate
from tests.s2engine.configs import CONFIGS


@pytest.mark.parametrize("name", ["4,4,4:4", "2,2,2:2"])
def test_bench(name):
    simulate(CE(CONFIGS[name]), "sim.s2engine.bench_ce", simulator="icarus", config=CONFIGS[name])


@pytest.mark.parametrize("simulator, name", [("icarus", "4,4,4:4"), ("icarus", "2,2,2:2"),
                                             ("verilator", "4,4,4:4")])
def test_array(simulator, name):
    simulate(CEArray(CONFIGS[name]), "sim.s2engine.bench_ce_array", simulator=simulator,
             config=CONFIGS[name])


@pytest.mark.parametrize("kernel_cols", range(1, 12))
@pytest.mark.parametrize("stride", range(1, 5))
def test_a_chain_takes_what_was_held_one_period_before(kernel_cols, stride):
    groups = ce.order(2, 2, kernel_cols, stride)
    rows = ce.commands([4, 1], 6, groups, stride, kernel_cols)
    for n, group in enumerate(groups):
        for r, row in enumerate(rows):
            if row[n].source == ce.CHAIN:
                assert rows[r + 1][n - 1].keep
                before = groups[n - 1]
                assert before[:2] == group[:2]
                # Row r + 1 is a pixel, so `stride` columns, further right.
                assert r * stride + group.kernel_col == (r + 1) * stride + before.kernel_col
            if row[n].keep:
                assert rows[r - 1][n + 1].source == ce.CHAIN
