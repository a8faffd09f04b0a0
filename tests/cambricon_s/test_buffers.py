"""NBin, SIB, SB and NBout on the RTL."""

from dataclasses import replace

import pytest

from hw.cambricon_s.config import PRESETS
from hw.cambricon_s.nbin import NBin
from hw.cambricon_s.nbout import NBout
from hw.cambricon_s.sb import SB
from hw.cambricon_s.sib import SIB
from sim.common.runner import simulate

SMALL = PRESETS["small"]
CONFIGS = {"tiny": PRESETS["tiny"], "small": SMALL,
           "units_of_two_beats": replace(SMALL, tn=8, window=128, memory_bits=64, sb_bytes=512,
                                         sib_bytes=128, nbin_bytes=2048)}
BLOCKS = {"nbin": NBin, "sib": SIB, "sb": SB, "nbout": NBout}


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("block", BLOCKS)
def test_in_icarus(block, config):
    cfg = CONFIGS[config]
    simulate(BLOCKS[block](cfg), f"sim.cambricon_s.bench_{block}", simulator="icarus", config=cfg)


def test_a_sib_of_an_index_per_pe():
    cfg = replace(SMALL, shared_index=False)
    assert cfg.index_bits == SMALL.tm * SMALL.window
    simulate(SIB(cfg), "sim.cambricon_s.bench_sib", simulator="icarus", config=cfg)
