import pytest

from hw.tnpu.config import PRESETS, TNPUConfig
from hw.tnpu.pe import PE
from sim.common.runner import simulate

CONFIGS = {"paper": PRESETS["paper"], "tiny": PRESETS["tiny"],
           "shallow": TNPUConfig(mul_latency=1, add_latency=1, slots=2),
           "deep": TNPUConfig(mul_latency=6, add_latency=6, slots=9)}


@pytest.mark.parametrize("simulator, name", [
    ("verilator", "paper"), *(("icarus", name) for name in CONFIGS)])
def test_bench(simulator, name):
    simulate(PE(CONFIGS[name]), "sim.tnpu.bench_pe", simulator=simulator,
             config={"cfg": CONFIGS[name], "cycles": 1500})
