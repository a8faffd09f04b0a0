"""The benches of DS, MAC, RF and CE kill every mutant of their blocks, but for proven
equivalents."""

import pytest
from amaranth.hdl import Assume, Mux, Signal

from hw.s2engine.ce import CE
from hw.s2engine.config import S2Config
from hw.s2engine.ds import DS
from hw.s2engine.mac import MAC
from hw.s2engine.rf import RF
from sim.common.mutation import mutate

CONFIG = S2Config(rows=2, cols=2, w_depth=2, f_depth=3, wf_depth=2, group=6, mixed=True)


def only_with_room(m, block):
    """RF's side of the contract with MAC."""
    m.d.comb += Assume(~block.done | block.room)


def every_ratio(m, block):
    """MAC is enabled in every `ratio`-th cycle."""
    phase = Signal(range(CONFIG.ratio), reset_less=True)
    m.d.sync += phase.eq(Mux(phase == CONFIG.ratio - 1, 0, phase + 1))
    m.d.comb += Assume(block.enable == (phase == 0))


BLOCKS = {
    "ds": (DS, {}),
    "mac": (MAC, {"assume": every_ratio, "matters": {"sum": "done"}}),
    "rf": (RF, {"assume": only_with_room}),
    "ce": (CE, {}),
}


def killed(name, count):
    block, options = BLOCKS[name]
    report = mutate(block(CONFIG), f"sim.s2engine.bench_{name}", name=f"mutants_s2_{name}",
                    config=CONFIG, count=count, **options)
    print(f"{name}: {report.killed} killed, {report.equivalent} proven equivalent")
    assert report.killed + report.equivalent >= count
    assert not report.undecided


@pytest.mark.parametrize("name", ["rf"])
def test_bench_kills_some_mutants(name):
    killed(name, 40)


@pytest.mark.regress
@pytest.mark.parametrize("name", BLOCKS)
def test_bench_kills_every_mutant_that_differs(name):
    killed(name, 300)
