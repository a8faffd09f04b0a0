"""The whole accelerator trains: weights bit for bit golden's, cycles and counters the model's."""

from dataclasses import replace

import numpy as np
import pytest

from golden.layers import Layer
from golden.program import Memory
from golden.tnpu import timing
from golden.tnpu.compile import compile_parts
from golden.tnpu.execute import Machine
from golden.tnpu.network import Network
from golden.tnpu.schedule import SCHEDULES
from golden.tnpu.train import step
from hw.tnpu.config import PRESETS
from sim.tnpu import run as rtl
from tests.tnpu.test_compile import NETWORKS, batch_of, equal

CONFIG = PRESETS["tiny"]
RATES = {"rate": 0.05, "momentum": 0.9}
SMALL = Network((Layer.fc("a", 5, 3, bias=True, relu=True), Layer.fc("b", 3, 2, bias=True)))


def given(name, count, config=CONFIG, loss="mse", **options):
    """A batch: its programs, the image before, golden's parameters after."""
    network = replace((NETWORKS | {"small": SMALL})[name], loss=loss)
    parameters, inputs, targets = batch_of(network, count)
    parts = compile_parts(network, config, count, **RATES, **options)
    image = parts[0].image(parameters, inputs, targets)
    step(network, parameters, inputs, targets, **RATES)
    return parts, image, parameters


def check(build, batches, memory=None, **options):
    """Batches of one program each, in one simulator process; without options against the model."""
    runs = rtl.RTL.run(build, [rtl.batch(part, image) for (part,), image, _ in batches],
                       memory=memory or Memory(), **options)
    for ((part,), _, golden), run in zip(batches, runs, strict=True):
        assert run.errors == ((0, 0),)
        assert equal(part.parameters(rtl.memory(run)), golden)
        if not options:
            same_cycles(run, timing.time(part, memory or Memory()).report)


def same_cycles(run, report):
    assert run.cycles == (report.cycles,)
    assert run.causes == report.causes
    assert run.counters == report.counters | {"nans": 0}
    assert (run.read_beats, run.write_beats) == (report.read_beats, report.write_beats)


@pytest.fixture(scope="module")
def build():
    return rtl.RTL.build(CONFIG, "verilator")


def test_every_network(build):
    check(build, [given(name, 2) for name in NETWORKS])


def test_every_schedule(build):
    check(build, [given("lenet", 3, schedule=schedule) for schedule in SCHEDULES])


@pytest.mark.parametrize("latency", [1, 300])
def test_memories(build, latency):
    check(build, [given(name, 3) for name in ("conv", "fc")], Memory(latency=latency))


def test_gradients_once_per_batch(build):
    check(build, [given("fc", 3, schedule=schedule, fc_gradients="batch")
                  for schedule in ("sosm", "time_multiplexed")])


def test_softmax_by_the_host(build):
    parts, image, golden = given("fc", 2, loss="softmax")
    one, = rtl.train(build, parts, [image])
    assert equal(parts[0].parameters(one.memory), golden) and len(one.runs) == 2
    for part, run in zip(parts, one.runs, strict=True):
        same_cycles(run, timing.time(part).report)


def test_stalls_on_every_channel(build):
    stalls = {"ar": 0.3, "r": 0.5, "aw": 0.3, "w": 0.5, "b": 0.4, "seed": 7}
    check(build, [given(name, 2) for name in ("fc", "conv")], stalls=stalls)


@pytest.mark.parametrize("name", ["fc", "conv"])
def test_nans_are_counted_and_go_on(build, name):
    """One in the data: what it reaches is NaN, the rest golden's, every NaN written is counted."""
    (part,), image, _ = given(name, 2)
    parameters, inputs, targets = batch_of(part.network, 2)
    inputs[1].flat[4] = np.nan
    image = part.image(parameters, inputs, targets)
    run, = rtl.RTL.run(build, [rtl.batch(part, image)])
    with np.errstate(all="ignore"):
        step(part.network, parameters, inputs, targets, **RATES)
    machine = Machine(CONFIG, image, part.base)
    machine.run({unit: (part.queue_at[unit], part.count(unit)) for unit in "cf"})
    assert np.isnan(parameters.flat()).any() and run.errors == ((0, 0),)
    assert equal(part.parameters(rtl.memory(run)), parameters)
    assert run.counters["nans"] == sum(unit.nans for unit in machine.units.values()) > 0


def test_a_grid_that_is_not_square():
    """PU-c two rows of four columns, as one pool and as two machines."""
    config = replace(PRESETS["small"], rows_c=2, w_words_f=4096, share_c=90)
    check(rtl.RTL.build(config, "verilator"), [
        given("average", 2, config, schedule=schedule)
        for schedule in ("time_multiplexed", "separate")])


def test_icarus():
    """With a bank that holds the gradients."""
    config = replace(CONFIG, s_words_f=1024)
    check(rtl.RTL.build(config, "icarus"), [given("small", 1, config, fc_gradients="chip")])
