import pytest

from hw.common.axi.dma import check_burst
from sim.common.program import MEMORY_V
from sim.common.runner import SIMULATORS, simulate
from tests.common.dma_in_memory import DMAInMemory

CONFIGS = [{"data_bits": 128, "max_burst": 16, "outstanding": 8},
           {"data_bits": 64, "max_burst": 5, "outstanding": 3, "buffer": 11},
           {"data_bits": 1024, "max_burst": 32, "outstanding": 1},
           {"data_bits": 64, "max_burst": 1, "outstanding": 2, "buffer": 1}]


RUNS = [(config, simulator) for config in CONFIGS for simulator in SIMULATORS
        if simulator == "icarus" or config in CONFIGS[:2]]       # each Verilator build takes time


@pytest.mark.parametrize("config, simulator", RUNS, ids=str)
def test_bench(simulator, config):
    parameters = {k: v for k, v in config.items() if k != "data_bits"}
    simulate(DMAInMemory(config["data_bits"], **parameters), "sim.common.bench_dma",
             simulator=simulator, config={**config, "episodes": 4}, sources=(MEMORY_V,))


def test_strobes():
    simulate(DMAInMemory(64, strobes=True), "sim.common.bench_strobes", simulator="icarus",
             config={"data_bits": 64, "max_burst": 16, "outstanding": 8}, sources=(MEMORY_V,))


@pytest.mark.parametrize("data_bits, max_burst, outstanding, buffer, message", [
    (96, 16, 8, 32, "data_bits must be 64, 128, 256, 512 or 1024, not 96"),
    (128, 257, 8, 999, "max_burst must be 1 to 256 at 128 bits, not 257"),
    (1024, 33, 8, 64, "max_burst must be 1 to 32 at 1024 bits, not 33"),
    (64, 0, 8, 8, "max_burst must be 1 to 256 at 64 bits, not 0"),
    (64, 1, 0, 1, "outstanding must be at least 1, not 0"),
    (64, 16, 8, 15, r"buffer must be at least max_burst \(16\), not 15")])
def test_refused(data_bits, max_burst, outstanding, buffer, message):
    with pytest.raises(ValueError, match=message):
        check_burst(data_bits, max_burst, outstanding, buffer)
