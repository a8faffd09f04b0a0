from dataclasses import replace

import pytest

from hw.tnpu.config import PRESETS
from hw.tnpu.pe import PE
from hw.tnpu.row import Row
from hw.tnpu.unit import Unit
from sim.common.runner import simulate

# Short buffers: the bench fills and compares them word by word.
TINY = replace(PRESETS["tiny"], x_words_f=128, w_words_f=256, s_words_f=64)
SMALL = PRESETS["small"]
SHORT = {"x_words_c": 48, "w_words_c": 64, "s_words_c": 32}


@pytest.mark.parametrize("unit, cfg, simulator, count", [
    ("c", TINY, "icarus", 12), ("f", TINY, "icarus", 12), ("f", SMALL, "verilator", 30),
    ("c", replace(SMALL, rows_c=2, **SHORT), "icarus", 10)],
    ids=["c tiny", "f tiny", "f small", "c of 2 rows and 4 columns"])
def test_bench(unit, cfg, simulator, count):
    simulate(Unit(cfg, unit), "sim.tnpu.bench_unit", simulator=simulator, hier=(Row, PE),
             config={"cfg": cfg, "unit": unit, "count": count})
