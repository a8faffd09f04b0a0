import pytest

from hw.tnpu.config import PRESETS
from hw.tnpu.pe import PE
from hw.tnpu.row import Row
from hw.tnpu.unit import Unit
from sim.common.runner import simulate


@pytest.mark.parametrize("unit, preset, simulator, count", [
    ("c", "tiny", "icarus", 12), ("f", "tiny", "icarus", 12), ("f", "small", "verilator", 30)])
def test_bench(unit, preset, simulator, count):
    cfg = PRESETS[preset]
    simulate(Unit(cfg, unit), "sim.tnpu.bench_unit", simulator=simulator, hier=(Row, PE),
             config={"cfg": cfg, "unit": unit, "count": count})
