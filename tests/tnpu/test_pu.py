import pytest

from hw.tnpu.config import PRESETS
from hw.tnpu.pe import PE
from hw.tnpu.pu import PUc, PUf
from hw.tnpu.row import Row
from sim.common.runner import simulate

UNITS = {"c": PUc, "f": PUf}


@pytest.mark.parametrize("unit, preset, simulator, count", [
    ("c", "tiny", "icarus", 30), ("f", "tiny", "icarus", 30), ("c", "small", "verilator", 60)])
def test_bench(unit, preset, simulator, count):
    cfg = PRESETS[preset]
    simulate(UNITS[unit](cfg), "sim.tnpu.bench_pu", simulator=simulator, hier=(Row, PE),
             config={"cfg": cfg, "unit": unit, "count": count})
