import random

import numpy as np
import pytest

from golden.scnn import crossbar as golden
from hw.scnn.config import PRESETS, SCNNConfig
from hw.scnn.crossbar import Crossbar
from sim.common.runner import SIMULATORS, simulate
from sim.scnn import bench_crossbar as bench

CONFIGS = {name: PRESETS[name] for name in ("paper", "small", "tiny")} | {
    "two_banks": SCNNConfig(mults_f=1, mults_i=1, acc_banks=2, acc_entries=3, queue_depth=1,
                            data_bits=16, acc_bits=20)}


@pytest.mark.parametrize("simulator, name", [
    (s, n) for s in SIMULATORS for n in CONFIGS if s == "icarus" or n in ("paper", "tiny")])
def test_bench(simulator, name):
    simulate(Crossbar(CONFIGS[name]), "sim.scnn.bench_crossbar", simulator=simulator,
             config=CONFIGS[name])


@pytest.mark.parametrize("name", CONFIGS)
def test_cycle_model_agrees(name):
    """The bench's model and golden take the same vectors and grant as many products."""
    config, r = CONFIGS[name], random.Random(7)
    model = bench.Crossbar(config)
    queues, levels = golden.state(config, 1)
    for cycle in range(300):
        word = bench.vector(config, bench.scattered(config, r), r)
        banks = np.full(config.lanes, -1)
        for lane, bank, _ in model._products(word):
            banks[lane] = bank
        before = model.taken
        granted, odd = len(model._grants()), model.odd
        model.step({"i": word, "phase_reset": 0}, {})
        assert golden.step(queues[0], levels[0], banks, True, config.queue_depth, odd) == (
            model.taken - before, granted), cycle
