"""The benches of DS and RF kill every mutant of their blocks, but for proven equivalents."""
import pytest

from hw.s2engine.config import S2Config
from hw.s2engine.ds import DS
from hw.s2engine.rf import RF
from sim.common.mutation import mutate

CONFIG = S2Config(rows=2, cols=2, w_depth=2, f_depth=3, wf_depth=2, group=6, mixed=True)


@pytest.mark.regress
@pytest.mark.parametrize("name, block", [("ds", DS), ("rf", RF)])
def test_bench_kills_every_mutant_that_differs(name, block):
    report = mutate(block(CONFIG), f"sim.s2engine.bench_{name}", name=f"mutants_s2_{name}",
                    config=CONFIG, count=300)
    print(f"{name}: {report.killed} killed, {report.equivalent} proven equivalent")
    assert report.killed + report.equivalent >= 300
    assert not report.undecided
