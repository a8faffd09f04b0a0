"""The memory model of benches."""

import re
from pathlib import Path

import pytest

from hw.emit import Emitted
from sim.common.program import MEMORY_V
from sim.common.runner import SIMULATORS, simulate

TB = Path(__file__).with_name("axi_memory_tb.v")


def wrapped():
    """The test bench's module as if it had been emitted."""
    text = TB.read_text()
    header = text[text.index("(\n"):text.index(");")]
    ports = [{"name": name, "dir": way[:-3], "width": 0}
             for way, name in re.findall(r"(input|output) (?:\[\S+\] )?(\w+)", header)]
    return Emitted("axi_memory_tb", text, {"ports": ports, "blocks": [], "registers": []})


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_memory(simulator):
    simulate(wrapped(), "tests.common.bench_axi_memory", simulator=simulator, sources=[MEMORY_V])
