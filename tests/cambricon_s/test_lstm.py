"""An LSTM compiled: the machine that runs words, and the RTL, leave what golden says."""

from dataclasses import replace

import numpy as np
import pytest

from golden.cambricon_s.cycles import cycles
from golden.cambricon_s.decode import Machine
from golden.cambricon_s.lstm import GATES, LSTM, compile
from hw.cambricon_s.config import PRESETS
from tests.cambricon_s.design import CAMBRICON

SMALL = PRESETS["small"]


def sample(inputs, cells, density=0.5, seed=1):
    rng = np.random.default_rng(seed)
    shape = cells, inputs + cells
    return LSTM({g: rng.integers(-6000, 6000, shape) * (rng.random(shape) < density)
                 for g in GATES}, {g: rng.integers(-1 << 26, 1 << 26, cells) for g in GATES})


def inputs_of(lstm, steps, seed=2):
    return np.random.default_rng(seed).integers(-20000, 20000, (steps, lstm.inputs))


@pytest.mark.parametrize(("preset", "sizes"), [("small", (5, 6)), ("paper", (40, 50))])
def test_image_runs(preset, sizes):
    lstm = sample(*sizes)
    program = compile(lstm, inputs_of(lstm, 3), PRESETS[preset])
    segment = program.segments[0]
    memory = np.frombuffer(bytearray(segment.image), np.uint8)
    Machine(program.config, memory, 0).run(segment.desc_addr, segment.desc_count)
    assert memory.tobytes() == segment.expected


def test_two_steps_on_the_rtl():
    lstm = sample(5, 6)
    program = compile(lstm, inputs_of(lstm, 2), SMALL)
    run, = CAMBRICON.rtl.run(CAMBRICON.rtl.build(SMALL, "verilator"), [program])
    segment = program.segments[0]
    assert run.errors == ((0, 0),)
    assert run.results[0].memory[:len(segment.expected)] == segment.expected
    report = cycles(program)
    assert run.cycles == report.segment_cycles
    assert run.causes == report.causes
    assert run.counters == report.counters


@pytest.mark.parametrize("change", [{"tm": 2}, {"data_bits": 8}])
def test_refusals(change):
    lstm, name = sample(2, 2), next(iter(change))
    with pytest.raises(ValueError, match=f"{name} must be .* for an LSTM"):
        compile(lstm, inputs_of(lstm, 1), replace(SMALL, **change))
