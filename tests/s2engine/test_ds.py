import itertools
import random

import pytest

from golden.s2engine.ds import group_steps
from hw.s2engine.ds import DS
from sim.common.runner import simulate
from sim.s2engine.flows import encode
from tests.s2engine.configs import CONFIGS


@pytest.mark.parametrize("name", CONFIGS)
def test_bench(name):
    simulate(DS(CONFIGS[name]), "sim.s2engine.bench_ds", simulator="icarus",
             config=CONFIGS[name])


def subsets(group):
    return itertools.chain.from_iterable(
        itertools.combinations(range(group), n) for n in range(1, group + 1))


def test_a_group_takes_the_union_of_its_offsets_or_one_less():
    for w, f in itertools.product(subsets(5), repeat=2):
        steps = list(group_steps(*(encode([int(n in s) for n in range(5)], 5) for s in (w, f))))
        less = w[-1] != f[-1] and min(w[-1], f[-1]) not in (f if w[-1] < f[-1] else w)
        assert len(steps) == len({*w, *f}) - less, (w, f)


def test_values_of_16_bits_take_two_or_four_products():
    rng = random.Random(0)
    for _ in range(200):
        w, f = ([rng.choice([0, 3, 5001, -4001]) for _ in range(8)] for _ in range(2))
        entries = [s.entry for s in group_steps(encode(w, 8), encode(f, 8)) if s.entry]
        assert sum(e.product() for e in entries) == sum(a * b for a, b in zip(w, f, strict=True))
        wide = [(abs(a) > 127) + (abs(b) > 127) for a, b in zip(w, f, strict=True) if a and b]
        assert len(entries) == sum(2 ** n for n in wide)
