"""Programs by hand on the Top: fully connected layers, errors, and a good run after each."""

import numpy as np
import pytest

from hw.cambricon_s.config import PRESETS
from hw.cambricon_s.engine import CAUSES
from hw.cambricon_s.top import Top
from hw.emit import emit
from sim.common import program as host
from tests.cambricon_s.hand import fc, read


def build(name):
    return host.build_program(emit(Top(PRESETS[name]), "cambricon_s"), simulator="icarus")


LAYERS = [
    {"inputs": 40, "outputs": 6},
    {"inputs": 70, "outputs": 5, "batch": 2, "width": 4, "density": 0.4, "zeros": 0.5},
    {"inputs": 33, "outputs": 9, "batch": 3, "width": 8, "zeros": 0.3, "dense": True,
     "function": "relu"},
    {"inputs": 29, "outputs": 3, "width": 2, "density": 0.3, "entries": 3, "dynamic": False,
     "function": "sigmoid"},
    {"inputs": 50, "outputs": 4, "width": 1, "density": 0.0, "function": "tanh"},
    {"inputs": 64, "outputs": 8, "width": 16, "density": 0.5, "zeros": 1.0},
]


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_fully_connected(name):
    cfg, rand = PRESETS[name], np.random.default_rng(1)
    made = [fc(cfg, rand, **layer) for layer in LAYERS]
    results = host.run_programs(build(name), [h.job() for h, *_ in made])
    for layer, (_, at, pitch, wanted), result in zip(LAYERS, made, results, strict=True):
        assert result.registers["ERROR"] == 0, layer
        got = read(result.memory, at, pitch, *wanted.shape, cfg)
        assert got.tolist() == wanted.tolist(), layer
        causes = sum(host.wide(result.registers, c.upper()) for c in CAUSES)
        assert causes == cfg.tm * (result.cycles - 1), layer
