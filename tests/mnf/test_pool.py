"""Pooling in the activation module."""
import random

import numpy as np

from golden.layers import Pool as Pooling
from hw.mnf.config import PRESETS
from hw.mnf.pool import Pool
from sim.common.runner import simulate


def pool_case(rnd, config):
    """(pooling or None, plane [channels, rows, cols], channels abreast)."""
    while True:
        k = rnd.choice([1, 2, 2, 3, 3, 4, 5, 7])
        rows, cols = rnd.randint(1, 11), rnd.randint(1, 11)
        kl, channels = rnd.randint(1, config.lanes), rnd.randint(1, 7)
        plane = np.random.default_rng(rnd.random().as_integer_ratio()[0]).integers(
            -128, 128, (channels, rows, cols))
        if rnd.random() < 0.1:
            return None, plane, kl
        try:
            pool = Pooling(kind=rnd.choice(["max", "avg"]), k=k, s=rnd.choice([1, 2, 2, 3, 5]),
                           pad=rnd.randrange(k), ceil_mode=rnd.random() < 0.3)
            windows = pool.size(rows), pool.size(cols)
        except ValueError:
            continue
        hangs = pool.overhang(rows) or pool.overhang(cols)
        if (pool.kind == "avg" and hangs) or windows[1] * kl > config.pool_words:
            continue
        if min(-(-k // pool.s), max(windows)) <= 4:
            return pool, plane, kl


def test_pool():
    config, rnd = PRESETS["tiny"], random.Random(5)
    cases = [pool_case(rnd, config) for _ in range(60)]
    kinds = {(p.kind, p.k > p.s, p.pad > 0) for p, *_ in cases if p}
    assert len(kinds) == 8 and any(p is None for p, *_ in cases)
    block = Pool(config)
    simulate(block, "sim.mnf.bench_pool", simulator="icarus",
             config={"config": config, "cases": cases, "output": block.o.shape()})
