"""PEArray beside its models: every depth and ratio, random shapes, the edges stalled at random."""
import dataclasses
import random

import numpy as np
import pytest

from golden.s2engine import array, ranks
from golden.s2engine.masks import masks
from golden.s2engine.stepped import Array
from hw.s2engine.array import PEArray
from sim.common.runner import simulate
from sim.s2engine.flows import joined, random_kernels
from tests.s2engine.configs import BOTH, CONFIGS


@pytest.mark.parametrize("simulator, name", BOTH)
def test_bench(simulator, name):
    simulate(PEArray(CONFIGS[name]), "sim.s2engine.bench_array", simulator=simulator,
             config=CONFIGS[name])


def recurrence(w, f, config):
    """golden's recurrence over kernels of values, all features from FB."""
    model = array.array(config)
    none = np.zeros(len(f), np.int64)
    for k in range(len(w[0])):
        weights, features = (masks(np.array([flow[k] for flow in flows]).reshape(
            len(flows), -1, config.group)) for flows in (w, f))
        count = weights.shape[1]
        for n in range(count):
            ranks.group(model, weights[:, n], features[:, n], none, none, n == count - 1)
    return model


@pytest.mark.parametrize("name", CONFIGS)
def test_the_recurrence_has_the_cycles_of_the_bench(name):
    rng = random.Random(name)
    for _ in range(3):
        config = dataclasses.replace(CONFIGS[name], rows=rng.randint(1, 3), cols=rng.randint(1, 3))
        both = random_kernels(rng, config, config.cols + config.rows, 3)
        w, f = both[:config.cols], both[config.cols:]
        stepped = Array([joined(flow, config, eok=True) for flow in w],
                        [joined(flow, config, eok=False) for flow in f], config).run()
        model = recurrence(w, f, config)
        assert model.tally[array.LAST_RESULT] + 1 == stepped.cycle
        assert list(array.causes(model, stepped.cycle).values()) == stepped.causes
