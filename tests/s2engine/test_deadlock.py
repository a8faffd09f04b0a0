"""Tokens handed on when they are consumed: a 2 x 2 array that hangs, in RTL as in golden."""
import random
from pathlib import Path

import pytest

import hw.s2engine.ds
from golden.s2engine.pe import PE
from hw.s2engine.array import PEArray
from sim.common.runner import simulate
from sim.s2engine.flows import joined, random_kernels
from tests.s2engine import deadlock
from tests.s2engine.late import LateFlow, LatePE

PAGE = Path(hw.s2engine.ds.__file__).with_name("deadlock.md")


@pytest.mark.parametrize("depth, hangs", [(1, True), (2, True), (4, True), (8, False)])
def test_late_forwarding(depth, hangs):
    assert deadlock.run(depth, LatePE)[0] == hangs
    assert not deadlock.run(depth, PE)[0]


@pytest.mark.parametrize("late, depth, outcome", [
    (False, 2, "results_come"), (True, 2, "nothing_comes"), (True, 4, "nothing_comes"),
    (True, 8, "results_come")])
def test_in_rtl(late, depth, outcome, monkeypatch):
    if late:
        monkeypatch.setattr(hw.s2engine.ds, "Flow", LateFlow)
    config = deadlock.config(depth)
    simulate(PEArray(config), "sim.s2engine.bench_deadlock", simulator="icarus",
             config=(config, deadlock.flows()), testcase=outcome,
             name="LateArray" if late else "PEArray")


def test_the_page_shows_these_waves():
    assert deadlock.waves() in PAGE.read_text()


@pytest.mark.parametrize("depths", [(1, 1, 1), (2, 2, 2), (1, 4, 2), (4, 1, 1)])
def test_pushes_to_the_neighbour_never_hang(depths):
    """Random kernels with all shares of 16-bit data; `Array.run` raises where nothing moves."""
    rng = random.Random(str(depths))
    for _ in range(6):
        base = deadlock.config(2)
        config = type(base)(rows=3, cols=3, w_depth=depths[0], f_depth=depths[1],
                            wf_depth=depths[2], ratio=rng.choice([1, 4]))
        flows = random_kernels(rng, config, 6, 2)
        deadlock.Array([joined(flow, config, eok=True) for flow in flows[:3]],
                       [joined(flow, config, eok=False) for flow in flows[3:]], config).run()
