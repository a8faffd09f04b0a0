"""The units and what stands between them, on the RTL."""

import pytest

from hw.cambricon_s.config import PRESETS
from hw.cambricon_s.cp import CP
from hw.cambricon_s.feed import Feed
from hw.cambricon_s.load import Load
from hw.cambricon_s.nfu import NFU
from hw.cambricon_s.sides import Sides
from hw.cambricon_s.store import Store
from hw.cambricon_s.table import Table
from sim.common.runner import simulate

CONFIGS = {"tiny": PRESETS["tiny"], "small": PRESETS["small"]}
BLOCKS = {"cp": CP, "feed": Feed, "load": Load, "nfu": NFU, "store": Store, "table": Table}


@pytest.mark.parametrize("config", ["tiny", pytest.param("small", marks=pytest.mark.regress)])
@pytest.mark.parametrize("block", BLOCKS)
def test_in_icarus(block, config):
    cfg = CONFIGS[config]
    simulate(BLOCKS[block](cfg), f"sim.cambricon_s.bench_{block}", simulator="icarus", config=cfg)


def test_sides():
    simulate(Sides(), "sim.cambricon_s.bench_sides", simulator="icarus")
