from dataclasses import replace

import pytest

from hw.tnpu.config import PRESETS
from hw.tnpu.pe import PE
from hw.tnpu.pu import PUc, PUf
from hw.tnpu.row import Row
from sim.common.runner import simulate

UNITS = {"c": PUc, "f": PUf}
TINY, SMALL = PRESETS["tiny"], PRESETS["small"]


@pytest.mark.parametrize("unit, cfg, simulator, count", [
    ("c", TINY, "icarus", 30), ("f", TINY, "icarus", 30), ("c", SMALL, "verilator", 60),
    ("c", replace(SMALL, rows_c=2), "icarus", 15)],
    ids=["c tiny", "f tiny", "c small", "c of 2 rows and 4 columns"])
def test_bench(unit, cfg, simulator, count):
    simulate(UNITS[unit](cfg), "sim.tnpu.bench_pu", simulator=simulator, hier=(Row, PE),
             config={"cfg": cfg, "unit": unit, "count": count})
