"""The model leaps over multiply phases, and steps all else: to the same effect as stepping all.
(Equality with the RTL: test_top.)"""

import random
from dataclasses import replace

import numpy as np

from golden.mnf.compile import compile
from golden.mnf.cycles import cycles
from golden.program import Memory
from hw.mnf.config import PRESETS
from tests.mnf.cases import random_chain


def machine(rnd):
    """A mesh of 2 to 12 nodes, FIFOs of all depths."""
    rows = rnd.randint(1, 3)
    return replace(PRESETS[rnd.choice(["tiny", "small"])], mesh_cols=rnd.randint(2, 4),
                   mesh_rows=rows, ports=rnd.randint(1, rows), event_fifo=rnd.choice([2, 3, 7]),
                   vector_fifo=rnd.choice([2, 3, 5]), link_fifo=rnd.choice([2, 3, 4]))


def program(seed):
    """A random chain on a random machine, and a memory; None if the machine is too small."""
    rnd = random.Random(seed)
    config = machine(rnd)
    layers, tensors = random_chain(seed, config)
    try:
        return compile(layers, tensors, config), Memory(latency=rnd.choice([1, 64]))
    except ValueError as error:
        assert "must" in str(error)
        return None


def test_leaps_change_nothing():
    given = [one for seed in range(100) if (one := program(seed))][:12]
    assert len(given) == 12
    shorter = 0
    for own, memory in given:
        width = 1 + own.config.nodes
        leaps, steps = (cycles(own, memory, width, leaps=kind) for kind in (True, False))
        assert leaps.passes == steps.passes
        assert (leaps.cycles, leaps.causes, leaps.counters, leaps.read_beats) == (
            steps.cycles, steps.causes, steps.counters, steps.read_beats)
        assert np.array_equal(leaps.links, steps.links)
        assert np.array_equal(leaps.heat, steps.heat)
        assert 0 <= leaps.leapt < leaps.cycles and steps.leapt == 0
        shorter += leaps.leapt > leaps.cycles // 4
    assert shorter > 2
