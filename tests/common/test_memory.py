import pytest

from hw.common.memory.banked import Banked
from hw.common.memory.double_buffer import DoubleBuffer
from sim.common.runner import SIMULATORS, simulate

SHAPES = [(5, 2, 5, True), (8, 3, 4, False), (3, 1, 1, True)]
CONFIGS = [{"width": w, "banks": b, "depth": d, "registered": r, "double": double}
           for w, b, d, r in SHAPES for double in (False, True)]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bench(simulator, config):
    block = DoubleBuffer if config["double"] else Banked
    memory = block(config["width"], config["banks"], config["depth"],
                   registered=config["registered"])
    simulate(memory, "sim.common.bench_memory", simulator=simulator, config=config)


def test_refusal():
    with pytest.raises(ValueError, match="depth of a Banked memory must be at least 1, not 0"):
        Banked(8, 2, 0)
