"""The event generator."""
import pytest

from hw.mnf.config import PRESETS
from hw.mnf.events import EventGenerator
from sim.common.runner import simulate


@pytest.mark.parametrize("simulator, preset", [
    ("icarus", "small"), pytest.param("verilator", "paper", marks=pytest.mark.regress)])
def test_event_generator(simulator, preset):
    simulate(EventGenerator(PRESETS[preset]), "sim.mnf.bench_events", simulator=simulator,
             config=PRESETS[preset])
