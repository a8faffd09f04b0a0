"""The benches of what selects neurons and synapses kill every mutant that differs."""

from dataclasses import replace

import pytest
from amaranth.hdl import Assume
from amaranth.lib import data

from hw.cambricon_s.config import PRESETS, WIDTHS
from hw.cambricon_s.dispatch import Dispatch
from hw.cambricon_s.layouts import vector_layout
from hw.cambricon_s.nsm import NSM
from hw.cambricon_s.pefu import PEFU
from hw.cambricon_s.sides import Sides
from hw.cambricon_s.ssm import SSM
from hw.cambricon_s.wdm import WDM
from sim.common.mutation import mutate

TINY = PRESETS["tiny"]
NARROW = replace(TINY, window=4)
BLOCKS = {"nsm": (NSM, NARROW), "dispatch": (Dispatch, TINY), "ssm": (SSM, TINY),
          "wdm": (WDM, TINY), "pefu": (PEFU, TINY)}


def known_width(m, block):
    """COMPUTE refuses others."""
    m.d.comb += Assume(block.width < len(WIDTHS))


def vectors_of_segments(m, block):
    """Lanes in order, in synapses that a side of SB holds; of none, nobody reads the word."""
    known_width(m, block)
    vector = data.View(vector_layout(TINY), block.i.payload)
    word_bits = (TINY.sb_word_bits - 1).bit_length()
    m.d.comb += Assume((vector.count > 0) & (vector.count <= TINY.tn))
    for n in range(TINY.tn):
        word = (vector.lanes[n].target << block.width) >> word_bits
        m.d.comb += Assume(word < TINY.sb_words)
        if n:
            m.d.comb += Assume(vector.lanes[n - 1].target < vector.lanes[n].target)


ASSUME = {"ssm": known_width, "dispatch": vectors_of_segments}


def check(block, config, name, count):
    report = mutate(block, f"sim.cambricon_s.bench_{name}", name=f"mutants_{name}", config=config,
                    count=count, assume=ASSUME.get(name))
    print(f"{name}: {report.killed} killed, {report.equivalent} proven equivalent, undecided:",
          *report.undecided, sep="\n")
    assert not report.undecided and report.killed > count // 2


@pytest.mark.regress
@pytest.mark.parametrize("name", BLOCKS)
def test_bench_kills_every_mutant_that_differs(name):
    cls, config = BLOCKS[name]
    check(cls(config), config, name, 300)


def test_bench_of_the_sides():
    check(Sides(), None, "sides", 60)
