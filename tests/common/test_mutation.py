"""Each bench of hw/common kills at least 300 mutants of its block, but for proven equivalents."""
import pytest

from hw.common.axi.dma import Reader, Writer
from hw.common.counters import CauseCounters
from hw.common.memory.banked import Banked
from hw.common.memory.double_buffer import DoubleBuffer
from hw.common.stream.arbiter import Arbiter
from hw.common.stream.crossbar import Crossbar
from hw.common.stream.fifo import FIFO
from hw.common.stream.fork import Fork
from hw.common.stream.join import Join
from hw.common.stream.register import Register
from sim.common.arithmetic import Arithmetic
from sim.common.mutation import MutantSurvived, mutate
from sim.common.program import MEMORY_V
from sim.common.proofs_axi import surroundings
from tests.common.dma_in_memory import ADDR_BITS, DMAInMemory
from tests.common.lite_map import CONFIG, lite_regs

MEMORY = {"width": 5, "banks": 4, "depth": 5, "registered": True}
NUMERIC = {"acc_bits": 6, "multiplier_bits": 3, "out_bits": 4, "max_shift": 3}
COUNTERS = {"sources": 5, "causes": 3, "width": 6}
BLOCKS = {    # name: bench, its configuration, how to make the block
    "fifo": ("fifo", {"width": 6, "depth": 5}, lambda: FIFO(6, 5)),
    "register": ("register", {"width": 5}, lambda: Register(5)),
    "fork": ("fork", {"width": 5, "n": 5}, lambda: Fork(5, 5)),
    # With fewer inputs there are no 300 mutants.
    "join": ("join", {"widths": (2,) * 60}, lambda: Join((2,) * 60)),
    "arbiter": ("arbiter", {"width": 6, "n": 4}, lambda: Arbiter(6, 4)),
    "crossbar": ("crossbar", {"width": 4, "inputs": 4, "outputs": 4}, lambda: Crossbar(4, 4, 4)),
    "banked": ("memory", {**MEMORY, "double": False}, lambda: Banked(5, 4, 5)),
    "double_buffer": ("memory", {**MEMORY, "double": True}, lambda: DoubleBuffer(5, 4, 5)),
    "counters": ("counters", COUNTERS, lambda: CauseCounters(**COUNTERS)),
    "lite_regs": ("lite_regs", CONFIG, lite_regs),
    "numeric": ("numeric", NUMERIC, lambda: Arithmetic(**NUMERIC)),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_bench_kills_every_mutant_that_differs(name):
    bench, config, block = BLOCKS[name]
    report = mutate(block(), f"sim.common.bench_{bench}", name=f"mutants_{name}", config=config)
    print(f"{name}: {report.killed} killed, {report.equivalent} proven equivalent")
    assert report.killed + report.equivalent >= 300
    assert not report.undecided


DMA = {"max_burst": 3, "outstanding": 2, "buffer": 5}


@pytest.mark.regress
@pytest.mark.parametrize("cls", [Reader, Writer])
def test_dma_bench_kills_every_mutant_that_differs(cls):
    name = cls.__name__.lower()
    report = mutate(
        cls(ADDR_BITS, 64, beats_bits=12, **DMA), "sim.common.bench_dma", name=f"mutants_{name}",
        config={"data_bits": 64, "episodes": 1, **DMA}, sources=(MEMORY_V,),
        around=lambda planted: DMAInMemory(64, planted=planted, **DMA),
        assume=surroundings(DMA["outstanding"]))
    print(f"{name}: {report.killed} killed, {report.equivalent} proven equivalent, undecided:",
          *report.undecided, sep="\n")
    assert report.killed + report.equivalent + len(report.undecided) >= 300


def test_a_blind_bench_is_found_out():
    with pytest.raises(MutantSurvived, match=r"bench_blind misses \d\d of 60 mutants of blind"):
        mutate(Register(4), "tests.common.bench_blind", name="blind", count=60)


def test_a_bench_that_fails_anyway_kills_nothing():
    with pytest.raises(MutantSurvived, match="fails on the unmutated wrong"):
        mutate(FIFO(4, 3), "sim.common.bench_fifo", name="wrong",
               config={"width": 4, "depth": 5}, count=20)
