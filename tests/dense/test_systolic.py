"""The naive systolic array in RTL: every sum, and the closed form of its cycles."""

import pytest

from hw.dense.systolic import SystolicArray, SystolicConfig
from sim.common.runner import simulate

ODD = SystolicConfig(rows=3, cols=4)
FLAT = SystolicConfig(rows=1, cols=5, data_bits=16, acc_bits=40)


@pytest.mark.parametrize("config", [ODD, FLAT], ids=["odd", "flat"])
def test_bench(config):
    simulate(SystolicArray(config), "sim.dense.bench_systolic", simulator="icarus", config=config)


@pytest.mark.parametrize("change, message", [
    ({"rows": 0}, "rows must be 1 to 128"), ({"cols": 129}, "cols must be 1 to 128"),
    ({"data_bits": 1}, "data_bits must be"), ({"acc_bits": 8}, "acc_bits must be 16 to 48")])
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        SystolicConfig(**change)
