"""Each bench of hw/common kills at least 300 mutants of its block, but for proven equivalents."""
import pytest

from hw.common.stream.arbiter import Arbiter
from hw.common.stream.crossbar import Crossbar
from hw.common.stream.fifo import FIFO
from hw.common.stream.fork import Fork
from hw.common.stream.join import Join
from hw.common.stream.register import Register
from sim.common.mutation import MutantSurvived, mutate

BLOCKS = {
    "fifo": (FIFO, (6, 5), {"width": 6, "depth": 5}),
    "register": (Register, (5,), {"width": 5}),
    "fork": (Fork, (5, 5), {"width": 5, "n": 5}),
    "join": (Join, ((2,) * 60,), {"widths": (2,) * 60}),    # fewer inputs have no 300 mutants
    "arbiter": (Arbiter, (6, 4), {"width": 6, "n": 4}),
    "crossbar": (Crossbar, (4, 4, 4), {"width": 4, "inputs": 4, "outputs": 4}),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_bench_kills_every_mutant_that_differs(name):
    block, parameters, config = BLOCKS[name]
    report = mutate(block(*parameters), f"sim.common.bench_{name}", name=f"mutants_{name}",
                    config=config)
    print(f"{name}: {report.killed} killed, {report.equivalent} proven equivalent")
    assert report.killed + report.equivalent >= 300
    assert not report.undecided


def test_a_blind_bench_is_found_out():
    with pytest.raises(MutantSurvived, match=r"bench_blind misses \d\d of 60 mutants of blind"):
        mutate(Register(4), "tests.common.bench_blind", name="blind", count=60)


def test_a_bench_that_fails_anyway_kills_nothing():
    with pytest.raises(MutantSurvived, match="fails on the unmutated wrong"):
        mutate(FIFO(4, 3), "sim.common.bench_fifo", name="wrong",
               config={"width": 4, "depth": 5}, count=20)
