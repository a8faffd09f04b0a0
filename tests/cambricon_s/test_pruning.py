"""Coarse-grained pruning against its definition, window by window."""

import itertools

import numpy as np
import pytest

from golden.cambricon_s.neurons import remove_dead, shrink
from golden.cambricon_s.pruning import FINE, Block, Pruning, iterate, prune, schedule
from golden.layers import Layer, reference

BLOCKS = [FINE, Block(fin=2, fout=3), Block(fin=1, fout=4, kx=2, ky=3),
          Block(fin=2, fout=2, kx=2, ky=2, step_fin=1, step_fout=1, step_kx=1, step_ky=1),
          Block(fin=2, fout=2, step_fin=3, step_fout=4), Block(fin=5, fout=8, kx=3, ky=3)]


def windows(shape, block, groups=1):
    """Every window, as a tuple of slices, by the definition."""
    n, sides, steps = shape[0] // groups, block.sides, block.steps
    axes = []
    for axis, (size, side, step) in enumerate(zip(shape, sides, steps, strict=True)):
        stretch = n if axis == 0 else size
        found, begin = [], 0
        while begin < stretch:
            found.append((begin, min(begin + side, stretch)))
            if begin + side >= stretch:
                break
            begin += step
        axes.append([slice(g * stretch + b, g * stretch + e)
                     for g in range(groups if axis == 0 else 1) for b, e in found])
    return list(itertools.product(*axes))


def score(part, criterion):
    return np.abs(part).max() if criterion == "max" else np.abs(part).mean()


@pytest.fixture
def weights():
    return np.random.default_rng(5).standard_normal((8, 5, 3, 3))


@pytest.mark.parametrize("criterion", ["max", "average"])
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_threshold_is_the_definition(weights, block, criterion):
    every = windows(weights.shape, block)
    for threshold in (0.0, *(np.quantile([score(weights[w], criterion) for w in every], q) - 1e-9
                             for q in (0.1, 0.5, 1.0))):
        wanted = np.ones(weights.shape, bool)
        for window in every:
            if score(weights[window], criterion) < threshold:
                wanted[window] = False
        how = Pruning(block=block, criterion=criterion, threshold=threshold)
        if not wanted.any():
            with pytest.raises(ValueError, match="must leave a synapse"):
                prune(weights, how)
        else:
            assert np.array_equal(prune(weights, how), wanted)


@pytest.mark.parametrize("criterion", ["max", "average"])
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_density_takes_the_fewest_blocks(weights, block, criterion):
    """As if the windows went one by one, the lowest first, as long as enough stays."""
    every = windows(weights.shape, block)
    order = sorted(range(len(every)), key=lambda n: score(weights[every[n]], criterion))
    for density in (0.72, 0.9, 1.0):
        wanted = np.ones(weights.shape, bool)
        for n in order:
            fewer = wanted.copy()
            fewer[every[n]] = False
            if fewer.sum() < round(density * weights.size):
                break
            wanted = fewer
        how = Pruning(block=block, criterion=criterion, density=density)
        assert np.array_equal(prune(weights, how), wanted)


def test_fine_grained_pruning_is_magnitude_pruning(weights):
    mask = prune(weights, Pruning(density=0.3))
    assert mask.sum() == round(0.3 * weights.size)
    assert np.abs(weights[mask]).min() > np.abs(weights[~mask]).max()


def test_blocks_end_where_a_group_does():
    weights = np.random.default_rng(1).standard_normal((10, 4, 1, 1))
    block = Block(fin=1, fout=3)
    mask = prune(weights, Pruning(block=block, density=0.5, groups=2))
    for k, c in itertools.product((0, 5), range(4)):
        assert len({*mask[k:k + 3, c, 0, 0].tolist()}) == 1
        assert len({*mask[k + 3:k + 5, c, 0, 0].tolist()}) == 1
    wanted = np.ones(weights.shape, bool)
    for window in windows(weights.shape, block, 2):
        wanted[window] = np.abs(weights[window]).mean() >= 0.6
    assert np.array_equal(prune(weights, Pruning(block=block, threshold=0.6, groups=2)), wanted)


def test_max_and_average_differ_where_one_weight_rules():
    weights = np.array([[9.0, 0, 0, 0], [3, 3, 3, 3]]).reshape(2, 4, 1, 1)
    block = Block(fin=4)
    for criterion, left in (("max", 0), ("average", 1)):
        mask = prune(weights, Pruning(block=block, criterion=criterion, density=0.5))
        assert mask[left].all() and not mask[1 - left].any()


REFUSED = [
    ({"block": Block(fout=9)}, r"conv: block fout \(9\) must be at most the tensor's side \(8\)"),
    ({"block": Block(fin=6)}, r"block fin \(6\) must be at most the tensor's side \(5\)"),
    ({"block": Block(kx=4)}, r"block kx \(4\) must be"),
    ({"block": Block(ky=4)}, r"block ky \(4\) must be"),
    ({"block": Block(fout=5), "groups": 2}, r"fout \(5\) must be at most .* \(4 of a group\)"),
    ({"groups": 3}, r"outputs \(8\) must be a multiple of groups \(3\)"),
    ({"block": Block(step_fin=4), "density": 0.5}, "density 0.5 must be within reach"),
    ({"threshold": 1e9, "density": None}, "conv: threshold 1e.09 must leave a synapse"),
]


@pytest.mark.parametrize(("how", "message"), REFUSED)
def test_refusals(weights, how, message):
    with pytest.raises(ValueError, match=message):
        prune(weights, Pruning(**{"density": 0.5, **how}), "conv")


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Pruning(), "a density or a threshold, and not both"),
    (lambda: Pruning(density=0.5, threshold=1), "and not both"),
    (lambda: Pruning(density=0), "density must be above 0"),
    (lambda: Pruning(density=float("nan")), "density must be above 0"),
    (lambda: Pruning(threshold=-1), "threshold must be at least 0"),
    (lambda: Pruning(density=1, criterion="sum"), "criterion must be max or average, not sum"),
    (lambda: Block(fin=0), "block fin must be at least 1"),
    (lambda: Block(step_kx=-1), "block step_kx must be at least 0"),
    (lambda: schedule(0), "rounds must be at least 1"),
    (lambda: prune(np.ones((3, 3)), Pruning(density=1)), r"must be of shape \[K, C/groups, R, S\]"),
])
def test_bad_parameters(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_rounds_prune_gradually_and_for_good():
    rng = np.random.default_rng(2)
    start = [rng.standard_normal((8, 6, 1, 1)), rng.standard_normal((4, 8, 3, 3))]
    how = [Pruning(block=Block(fin=2, fout=4), density=0.25),
           Pruning(block=Block(fout=4), threshold=0.6)]
    seen = []

    def retrain(masks, number):
        seen.append([m.copy() for m in masks])
        assert number == len(seen) - 1
        return [rng.standard_normal(m.shape) for m in masks]      # brings every weight back

    masks, weights = iterate(start, how, 4, retrain)
    assert len(seen) == 4
    for earlier, later in itertools.pairwise(seen):
        assert all((a >= b).all() for a, b in zip(earlier, later, strict=True))
    assert seen[0][0].mean() > masks[0].mean() and seen[0][1].mean() > masks[1].mean()
    assert masks[0].mean() == 1 / 3             # two of six blocks: one would be too few
    assert all(np.array_equal(w != 0, m) for w, m in zip(weights, masks, strict=True))
    assert schedule(4)[-1] == 1 and np.all(np.diff(schedule(4)) > 0)


def test_dead_neurons_change_no_output():
    rng = np.random.default_rng(3)
    layers = [Layer(c=3, h=6, w=6, k=6, r=3, s=3, pad=1, relu=True, shift=3, bias=True),
              Layer(c=6, h=6, w=6, k=4, r=3, s=3, pad=1, groups=2, relu=True, shift=3, bias=True),
              Layer.fc("fc", 4 * 36, 5, relu=False, shift=0, bias=True)]
    weights = [rng.integers(-9, 10, layer.weights_shape) for layer in layers]
    masks = [np.ones(w.shape, bool) for w in weights]
    masks[0][1] = False                 # nothing feeds map 1 …
    masks[1][2:, 0] = False             # … and nobody reads map 3, the first of group 2
    masks[1][0] = False                 # map 0 of the second layer: unfed
    masks[2][:, 72:108] = False         # its map 2: unread
    alive = remove_dead(masks, [layer.groups for layer in layers])
    assert [n.tolist() for n in alive.neurons[1:3]] == [
        [True, False, True, False, True, True], [False, True, False, True]]
    assert alive.density[0] == 1 and alive.density[3] == 1
    assert not alive.masks[1][:2, 1].any() and not alive.masks[2][:, :36].any()
    biases = [rng.integers(-9, 10, layer.k) for layer in layers]
    biases = [b * n for b, n in zip(biases, alive.neurons[1:], strict=True)]
    ends = []
    for which in (masks, alive.masks):
        x = np.random.default_rng(4).integers(0, 9, (3, 6, 6))
        for layer, w, m, b in zip(layers, weights, which, biases, strict=True):
            x = reference(layer, w * m, x.reshape(layer.activations_shape), b).outputs
        ends.append(x)
    assert np.array_equal(*ends)


def test_death_spreads_along_the_chain_and_shrinks_the_tensors():
    masks = [np.ones((4, 3, 1, 1), bool), np.ones((4, 4, 1, 1), bool), np.ones((2, 4, 1, 1), bool)]
    masks[2][:, 1] = False              # output 1 of layer 1 is unread: its synapses go …
    masks[1][[0, 2, 3], 2] = False      # … so nobody reads output 2 of layer 0
    alive = remove_dead(masks)
    assert alive.neurons[1].tolist() == [True, True, False, True]
    assert not alive.masks[0][2].any()
    small = shrink(np.arange(16.0).reshape(4, 4, 1, 1), alive.neurons[1], alive.neurons[2])
    assert small[..., 0, 0].tolist() == [[0, 1, 3], [8, 9, 11], [12, 13, 15]]
    with pytest.raises(ValueError, match=r"layer 1: its inputs \(5\) must be a multiple"):
        remove_dead([np.ones((3, 1, 1, 1), bool), np.ones((1, 5, 1, 1), bool)])
