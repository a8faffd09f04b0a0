"""Random networks and batches on random machines: weights, cycles, counters; every cover point."""

import random
from dataclasses import replace
from functools import partial

import pytest

from golden.program import Memory
from hw.emit import emit_kept
from hw.tnpu.config import PRESETS
from sim.common import cover
from tests.common.harness import STALLS
from tests.common.random_layers import SEEDS
from tests.tnpu.design import TNPU
from tests.tnpu.random_networks import random_batch, random_config, random_task

DESIGN = replace(TNPU, layer=random_task, tensors=random_batch)
ICARUS = 4          # of a network's work: it is slow


def check(build, config, first, count, memory, design=DESIGN, **options):
    given = design.cases(config, first, count)
    runs = design.rtl.run(build, [case.program for case in given], memory=memory or Memory(),
                          **options)
    design.check(given, runs, memory)


@pytest.fixture(scope="module")
def tiny():
    return DESIGN.rtl.build(PRESETS["tiny"], "verilator")


def test_random_networks(tiny):
    check(tiny, PRESETS["tiny"], 5000, SEEDS, Memory())


def test_random_networks_with_stalls(tiny):
    check(tiny, PRESETS["tiny"], 9000, max(1, SEEDS // 4), None, stalls={**STALLS, "seed": 7})


@pytest.mark.regress
@pytest.mark.parametrize("machine", range(4))
def test_random_machines_in_icarus(machine):
    config = random_config(random.Random(1000 + machine))
    memory = Memory(latency=random.Random(machine).choice([1, 20, 64]))
    check(DESIGN.rtl.build(config, "icarus", memory_bytes=1 << 20), config, 100 * machine,
          max(1, SEEDS // 20), memory, replace(DESIGN, layer=partial(random_task, work=ICARUS)))


def test_cover_points_name_signals():
    """A renamed signal would leave its point out."""
    watched = cover.instrument(emit_kept(DESIGN.rtl.top, PRESETS["tiny"], "tnpu"),
                               DESIGN.rtl.points)
    assert not [point.name for point in DESIGN.rtl.points
                if cover.SAID + point.name not in watched.verilog]
