"""kc = auto: the bounds bound, and the search finds what trying every kc finds."""

from dataclasses import replace

import numpy as np
import pytest

from golden.layers import Layer
from golden.scnn import compile as compiler
from golden.scnn import fastest
from golden.scnn.compile import compile
from golden.scnn.cycles import cycles
from golden.scnn.plan import Planner
from golden.tensors import synthetic
from hw.scnn.config import PRESETS
from sparseforge.config import configure

CONFIG = replace(PRESETS["small"], kc=0)
LAYERS = {
    "1x1": Layer(c=24, h=6, w=6, k=40, r=1, s=1, shift=2),
    "3x3": Layer(c=8, h=9, w=7, k=12, r=3, s=3, pad=1, shift=2),
    "dense": Layer(c=6, h=8, w=8, k=16, r=3, s=3, shift=2),
    "tiles": Layer(c=20, h=24, w=24, k=8, r=3, s=3, pad=1, shift=2),
}


def given(name):
    layer = LAYERS[name]
    density = 1.0 if name == "dense" else 0.4
    return layer, synthetic(layer, weight_density=density, activation_density=density,
                            seed=5, data_bits=16, acc_bits=24)


def searches(name, monkeypatch):
    """What compile asks `fastest` for: (plans, make) of each group of tiles."""
    asked = []
    real = fastest.fastest
    monkeypatch.setattr(compiler, "fastest", lambda plans, config, make: (
        asked.append((plans, make)), real(plans, config, make))[1])
    program = compile(*given(name), CONFIG)
    return asked, program


@pytest.mark.parametrize("name", LAYERS)
def test_bounds_and_the_fastest(name, monkeypatch):
    monkeypatch.setattr(fastest, "RUNS", 99)
    asked, program = searches(name, monkeypatch)
    assert asked
    for plans, make in asked:
        search = fastest._Search(plans, CONFIG, make)
        exact = {search.planned: search.run(search.planned, ideal=False)}
        for kc in fastest._candidates(plans, CONFIG):
            if search.fits(kc):
                exact[kc] = search.run(kc, ideal=False)
                assert search.counted(kc) <= search.run(kc, ideal=True) <= exact[kc], kc
        chosen = {p.kc for p in program.passes if p.outputs[0] == plans[0].region[0]}
        assert [exact[kc] for kc in chosen] == [min(exact.values())]
        assert len(exact) > 1


def test_never_slower_than_the_papers_kc():
    """The 3x3 layer gains, whose larger blocks fill the FIFO; outputs are the same anyway."""
    layer, tensors = given("3x3")
    auto = compile(layer, tensors, CONFIG)
    planned = compile(layer, tensors, replace(CONFIG, kc=8))
    assert {p.kc for p in auto.passes} == {2} and {p.kc for p in planned.passes} == {5}
    assert cycles(auto).cycles_layer < cycles(planned).cycles_layer
    assert np.array_equal(auto.passes[0].result, planned.passes[0].result)


def test_few_runs(monkeypatch):
    runs = []
    real = fastest.run_pass
    monkeypatch.setattr(fastest, "run_pass", lambda *a, ideal: (
        runs.append(ideal), real(*a, ideal=ideal))[1])
    compile(*given("3x3"), CONFIG)
    assert 0 < runs.count(False) <= fastest.RUNS


def test_planned_with_the_papers_kc():
    """What the choice of tiles is made with."""
    layer, tensors = given("3x3")
    stages, _ = compiler._stages([layer], [tensors], CONFIG, None, True, None)
    plans, = Planner(CONFIG, True).segments(stages, True)
    assert {p.kc for p in plans} == {5}, "8, or the most that fits the FIFO"


def test_auto_is_a_word():
    assert configure(PRESETS, "paper", changes=("kc=auto",))[1].kc == 0
    with pytest.raises(ValueError, match="kc must be a whole number or auto, not 'often'"):
        configure(PRESETS, "paper", changes=("kc=often",))
