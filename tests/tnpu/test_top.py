"""The whole accelerator trains: weights bit for bit golden's, cycles and counters the model's."""

import pytest

from golden.program import Memory
from golden.tnpu.compile import compile
from golden.tnpu.schedule import SCHEDULES
from golden.tnpu.train import step
from hw.tnpu.config import PRESETS
from sim.tnpu.run import build_top, model, run_programs
from tests.tnpu.test_compile import NETWORKS, batch_of, equal

CONFIG = PRESETS["tiny"]
RATES = {"rate": 0.05, "momentum": 0.9}


def batches(names, batch, schedule="sosm", seed=0):
    """Per network: its program, the image before, golden's parameters after."""
    for name in names:
        network = NETWORKS[name]
        parameters, inputs, targets = batch_of(network, batch, seed)
        program = compile(network, CONFIG, batch, schedule=schedule, **RATES)
        image = program.image(parameters, inputs, targets)
        step(network, parameters, inputs, targets, **RATES)
        yield program, image, parameters


def check(given, runs, memory=None):
    for (program, _, golden), run in zip(given, runs, strict=True):
        assert run.error == (0, 0)
        assert equal(program.parameters(run.memory), golden)
        if memory is None:
            continue
        report = model(program, memory)
        assert run.cycles == report.cycles
        assert run.causes == report.causes
        assert run.counters == report.counters | {"nans": 0}
        assert (run.result.read_beats, run.result.write_beats) \
            == (report.read_beats, report.write_beats)


@pytest.fixture(scope="module")
def build():
    return build_top(CONFIG, "verilator")


def trained(build, given, memory=None, **options):
    given = list(given)
    runs = run_programs(build, [one[:2] for one in given], memory=memory or Memory(), **options)
    check(given, runs, None if options else memory)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_network_and_schedule(build, schedule):
    trained(build, batches(NETWORKS, 2, schedule), Memory())


@pytest.mark.parametrize("latency", [1, 20, 300])
def test_memories(build, latency):
    trained(build, batches(["lenet", "fc"], 3), Memory(latency=latency))


def test_stalls_on_every_channel(build):
    stalls = {"ar": 0.3, "r": 0.5, "aw": 0.3, "w": 0.5, "b": 0.4, "seed": 7}
    trained(build, batches(["fc", "average"], 2), stalls=stalls)


def test_icarus():
    trained(build_top(CONFIG, "icarus"), batches(["fc"], 1), Memory())
