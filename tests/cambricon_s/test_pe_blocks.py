"""Dispatch, SSM, WDM and PEFU on the RTL against their definitions."""

from dataclasses import replace

import pytest

from golden.cambricon_s.pe import aliased, dot, issues
from hw.cambricon_s.config import PRESETS
from hw.cambricon_s.dispatch import Dispatch
from hw.cambricon_s.pefu import PEFU
from hw.cambricon_s.ssm import SSM
from hw.cambricon_s.wdm import WDM
from sim.common.runner import simulate

CONFIGS = {"tiny": PRESETS["tiny"], "small": PRESETS["small"],
           "wide_view": replace(PRESETS["small"], sb_view=4)}
BLOCKS = {"dispatch": Dispatch, "ssm": SSM, "wdm": WDM, "pefu": PEFU}


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("block", BLOCKS)
def test_in_icarus(block, config):
    cfg = CONFIGS[config]
    simulate(BLOCKS[block](cfg), f"sim.cambricon_s.bench_{block}", simulator="icarus", config=cfg)


@pytest.mark.regress
@pytest.mark.parametrize("block", BLOCKS)
def test_at_the_papers_size_in_verilator(block):
    cfg = PRESETS["paper"]
    simulate(BLOCKS[block](cfg), f"sim.cambricon_s.bench_{block}", simulator="verilator",
             config=cfg)


def test_issues_by_hand():
    """Words of 4 synapses, two in view: 1 and 5 go together, 9 not; then 9 and 13."""
    got = issues([(7, 1), (8, 5), (9, 9), (10, 13)], True, 8, 2, 32, base=3)
    assert [(i.word, i.lanes, i.last) for i in got] == [
        (3, ((0, 7, 1), (1, 8, 5)), False), (5, ((2, 9, 1), (3, 10, 5)), True)]
    assert issues([], True, 8, 2, 32)[0].last


def test_words_and_sums_by_hand():
    assert aliased([0xb4], 2, 8) == [0, 1, 3, 2]
    assert dot([127, 1], [2, -6], 8) == -8
