"""golden's recurrence against the array stepped cycle by cycle."""

import numpy as np
import pytest

from golden.s2engine import array as model
from golden.s2engine import ranks
from golden.s2engine.masks import masks
from hw.s2engine.config import S2Config
from tests.s2engine import streams
from tests.s2engine.reference import CE, Machine


def case(seed):
    """A random array and its flows."""
    rng = np.random.default_rng(seed)
    group = int(rng.integers(2, 8))
    deep = rng.choice([1, 2, 3, 4, 8], 3)
    config = S2Config(rows=int(rng.integers(1, 5)), cols=int(rng.integers(1, 5)), group=group,
                      mixed=True, w_depth=int(deep[0]), f_depth=int(deep[1]), wf_depth=int(deep[2]),
                      ratio=int(rng.choice([1, 2, 4, 8])), wb_tokens=512, fb_tokens=512)
    active = int(rng.integers(1, config.rows + 1))
    stride, columns = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    source, keep, place = streams.chain(active, columns, stride, int(rng.integers(1, 3)),
                                        config.rows - active)
    kernels, tiles = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    wide = rng.choice([0, 0, .5, 1])
    number = len(place)
    weights = streams.dense(rng, (config.cols, kernels, number), group, rng.random(), wide)
    # Inputs of one tile: (kernel row and residue, position) -> group.
    segments = np.cumsum([k == 0 for _, k in place]) - 1
    inputs = streams.dense(rng, (tiles, segments[-1] + 1, active + columns), group, rng.random(),
                           wide)
    features = np.zeros((tiles, config.rows, number, group), np.int64)
    for i in range(active):
        for n, (_, k) in enumerate(place):
            features[:, i, n] = inputs[:, segments[n], i + k]
    return config, weights, features, source, keep


def run_model(config, weights, features, source, keep, infinite=False):
    a = model.array(config, (0, 0, 0) if infinite else None, marks=True)
    w, f = masks(weights), masks(features)
    tiles, kernels, number = len(features), weights.shape[1], len(source)
    for tile in range(tiles):
        for kernel in range(kernels):
            for n in range(number):
                ranks.group(a, w[:, kernel, n], f[tile, :, n], source[n], keep[n],
                            n == number - 1)
    return a


def machine(config, weights, features, source, keep, infinite=False):
    tiles, kernels, number = len(features), weights.shape[1], len(source)
    depths = (0, 0, 0) if infinite else (config.w_depth, config.f_depth, config.wf_depth)
    flows = [streams.tokens(np.tile(w.reshape(-1, config.group), (tiles, 1)), number)
             for w in weights]
    commands = [list(zip(source[:, i], keep[:, i], strict=True)) * tiles * kernels
                for i in range(config.rows)]
    ces = []
    for i in range(config.rows):
        own = features[:, i][:, source[:, i] == model.FB]
        once = np.repeat(own, kernels, axis=0).reshape(-1, config.group) if own.size else own
        if own.size:
            once = np.concatenate([np.tile(t, (kernels, 1)) for t in own])
        ces.append(CE(commands[i], streams.tokens(once) if own.size else [], config.hold_depth))
    return Machine(flows, ces, depths, config.ratio)


@pytest.mark.parametrize("seed", range(14))
def test_times_causes_and_sums(seed):
    given = case(seed)
    config, weights, features = given[:3]
    infinite = seed % 7 == 6
    a = run_model(*given, infinite=infinite)
    slow = machine(*given, infinite=infinite)
    kernels = weights.shape[1] * len(features)
    cycles = slow.run(kernels)
    assert cycles == a.tally[model.LAST_RESULT] + 1
    causes = sum((pe.causes for row in slow.pes for pe in row), start=type(slow.pes[0][0].causes)())
    found = model.causes(a, cycles)
    assert found == {name: causes[name] for name in found}
    expected = np.einsum("ckng,ting->itkc", weights, features)
    for i in range(config.rows):
        got = [value for _, value in slow.left[i]]
        assert got == expected[i].reshape(-1).tolist()
        for j in range(config.cols):
            assert slow.pes[i][j].causes["multiply"] == a.busy[i, j]
    if not infinite:
        assert a.marks.tolist() == [max(q.most for row in slow.pes for pe in row for q in [getattr(
            pe, name)]) for name in ("w_in", "f_in", "pairs")]
    reads = sum(ce.reads for ce in slow.ces)
    assert reads == a.tally[model.FB_GROUPS]
