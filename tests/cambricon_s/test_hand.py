"""Programs by hand on the Top: fully connected layers, errors, and a good run after each."""

import re
from functools import cache

import numpy as np
import pytest

from hw.cambricon_s.config import PRESETS
from hw.cambricon_s.engine import CAUSES, CambriconSError
from hw.cambricon_s.top import Top
from hw.common.axi.errors import ErrorCode
from hw.emit import emit
from sim.common import program as host
from tests.cambricon_s.hand import fc, read
from tests.cambricon_s.hand_lstm import LSTM

TINY = PRESETS["tiny"]
LAYERS = {
    "tiny": [
        {"inputs": 12, "outputs": 4, "batch": 2, "dense": True, "function": "relu"},
        {"inputs": 21, "outputs": 3, "width": 4, "density": 0.4, "zeros": 0.5},
        {"inputs": 9, "outputs": 2, "width": 2, "density": 0.5, "entries": 3, "dynamic": False,
         "function": "sigmoid"},
    ],
    "small": [
        {"inputs": 40, "outputs": 6},
        {"inputs": 70, "outputs": 5, "batch": 2, "width": 4, "density": 0.4, "zeros": 0.5},
        {"inputs": 33, "outputs": 9, "batch": 3, "width": 8, "zeros": 0.3, "dense": True,
         "function": "relu"},
        {"inputs": 29, "outputs": 3, "width": 2, "density": 0.3, "entries": 3, "dynamic": False,
         "function": "sigmoid"},
        {"inputs": 50, "outputs": 4, "width": 1, "density": 0.0, "function": "tanh"},
        {"inputs": 64, "outputs": 8, "width": 16, "density": 0.5, "zeros": 1.0},
    ]}


@cache
def build(cfg):
    return host.build_program(emit(Top(cfg), "cambricon_s"), simulator="icarus")


@pytest.mark.parametrize("name", ["tiny", pytest.param("small", marks=pytest.mark.regress)])
def test_fully_connected(name):
    cfg, rand = PRESETS[name], np.random.default_rng(1)
    made = [fc(cfg, rand, **layer) for layer in LAYERS[name]]
    results = host.run_programs(build(cfg), [h.job(latency=6) for h, *_ in made])
    for layer, (_, at, pitch, wanted), result in zip(LAYERS[name], made, results, strict=True):
        assert result.registers["ERROR"] == 0, layer
        got = read(result.memory, at, pitch, *wanted.shape, cfg)
        assert got.tolist() == wanted.tolist(), layer
        causes = sum(host.wide(result.registers, c.upper()) for c in CAUSES)
        assert causes == cfg.tm * (result.cycles - 1), layer


@pytest.mark.regress        # what `compile` makes of an LSTM runs in every suite
def test_lstm_of_two_steps():
    cfg = PRESETS["small"]
    lstm = LSTM(cfg, np.random.default_rng(4), inputs=6, steps=2)
    result = host.run_programs(build(cfg), [lstm.hand.job(latency=3)])[0]
    assert result.registers["ERROR"] == 0
    for n, wanted in enumerate(lstm.reference(), 1):
        got = [read(result.memory, lstm.at(f"{name}{n}"), cfg.beat_bytes, 1, cfg.tm, cfg)[0]
               for name in "hc"]
        assert np.array_equal(got, wanted) and np.all(np.any(wanted, axis=1))


def changed(slot, field, value):
    """Every instruction with this slot's text gets another value of a field."""
    return lambda word: (re.sub(rf"\b{field}=\d+", f"{field}={value}", word)
                         if word.startswith(slot) else word)


MISTAKES = [
    (CambriconSError.SIDE, changed("load to=bias", "acquire", 0), 16),
    (CambriconSError.SIDE, changed("compute", "acquire", 0), 16),
    (CambriconSError.RANGE, changed("compute", "nbin_first", TINY.nbin_granules), 16),
    (CambriconSError.RANGE, changed("compute", "sb_word", TINY.sb_words), 16),
    (CambriconSError.RANGE, changed("store", "nbout_first", 200), 16),
    (CambriconSError.INDEX, changed("compute", "synapses", 3), 16),
    (CambriconSError.CODEBOOK, changed("load to=codebook", "granules", 1), 4),
    (ErrorCode.LINE_CRC, changed("load to=sb", "crc", 77), 16),
    (ErrorCode.BAD_DESCRIPTOR, changed("compute", "run", 0), 16),
]


def test_mistakes_end_in_a_code_and_the_next_start_works():
    made, codes = [], []
    for code, spoil, width in MISTAKES:
        made.append(fc(TINY, np.random.default_rng(2), inputs=4, outputs=2, width=width,
                       spoil=spoil))
        codes.append(code)
    made.append(fc(TINY, np.random.default_rng(2), inputs=4, outputs=2))
    jobs = [h.job(latency=3, reset=n == 0) for n, (h, *_) in enumerate(made)]
    results = host.run_programs(build(TINY), jobs)
    assert [r.registers["ERROR"] for r in results] == [*map(int, codes), 0]
    assert all(r.registers["STATUS"] & 1 == 0 for r in results)
    _, at, pitch, wanted = made[-1]
    assert read(results[-1].memory, at, pitch, *wanted.shape, TINY).tolist() == wanted.tolist()
