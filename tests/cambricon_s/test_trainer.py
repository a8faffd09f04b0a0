"""The NumPy trainer: gradients against differences, and a recipe from noise to integers."""

from dataclasses import replace

import numpy as np
import pytest

from golden.cambricon_s.pruning import Block
from golden.formats.coarse_grain import block_index
from golden.layers import Layer, Pool, reference
from sparseforge.networks import digits
from sparseforge.pruning import recipe
from sparseforge.pruning.networks import RECIPES, Effort, data
from sparseforge.pruning.stored import load, save, shipped
from sparseforge.pruning.trainer import initialise, train

POOL = Pool(kind="max", k=2, s=2)
CHAIN = [Layer(name="a", c=2, h=7, w=6, k=4, r=3, s=2, pad=(1, 0, 0, 2), relu=True, bias=True,
               pool=POOL),
         Layer(name="b", c=4, h=3, w=3, k=3, r=2, s=2, relu=True, bias=True),
         Layer.fc("c", 12, 5, bias=True)]
SHORT = Effort(dense=4, rounds=2, each=1, settle=2, tied=1)


def test_gradients_are_those_of_the_loss():
    rng = np.random.default_rng(0)
    net = initialise(CHAIN, rng)
    net.weights = [w.astype(np.float64) for w in net.weights]
    net.biases = [rng.standard_normal(b.shape) / 3 for b in net.biases]
    x, labels = rng.standard_normal((6, 2, 7, 6)), rng.integers(0, 5, 6)

    def loss():
        logits = net.forward(x)
        logits = logits - logits.max(1, keepdims=True)
        return (np.log(np.exp(logits).sum(1)) - logits[np.arange(6), labels]).mean()
    slopes = net.gradients(x, labels)
    for tensors, of in ((net.weights, slopes[0]), (net.biases, slopes[1])):
        for tensor, slope in zip(tensors, of, strict=True):
            assert slope.shape == tensor.shape
            for index in map(tuple, rng.integers(0, tensor.shape, (9, tensor.ndim))):
                was = tensor[index]
                ends = []
                for step in (1e-6, -1e-6):
                    tensor[index] = was + step
                    ends.append(loss())
                tensor[index] = was
                assert slope[index] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)


def test_layers_that_cannot_be_trained_are_refused():
    for layer, why in ((Layer(c=2, h=4, w=4, k=2, r=1, s=1, groups=2), "one group and stride 1"),
                       (Layer(c=2, h=4, w=4, k=2, r=1, s=1, stride=2), "one group and stride 1"),
                       (Layer(c=2, h=4, w=4, k=2, r=1, s=1, pool=Pool(kind="avg", k=2, s=2)),
                        "only max pooling")):
        with pytest.raises(ValueError, match=why):
            initialise([layer], np.random.default_rng(0))


def test_training_is_repeatable_and_learns():
    digits_data = data()
    net = initialise(RECIPES["digits-mlp"].layers, np.random.default_rng(1))
    runs = [train(net, digits_data.images, digits_data.labels, np.random.default_rng(2), epochs=3)
            for _ in range(2)]
    assert all(np.array_equal(a, b) for a, b in zip(runs[0].weights, runs[1].weights, strict=True))
    assert runs[0].accuracy(digits_data.held, digits_data.held_labels) > 0.8


def test_training_images_are_the_rest_of_scikit_learns():
    from sklearn.datasets import load_digits
    everything = load_digits().images.astype(int)
    (train_images, _), (held, _) = digits.training_images(), digits.images()
    both = np.concatenate([train_images[:, 0], held[:, 0]]).reshape(-1, 64)
    assert sorted(map(tuple, both)) == sorted(map(tuple, everything.reshape(-1, 64)))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_from_noise_to_integers(name, tmp_path):
    plans, d = RECIPES[name].plans, data()
    _, dense = recipe.dense(plans, d, 0, SHORT)
    small = recipe.pruned(dense, plans, d, 0, SHORT)
    for plan, mask, weight in zip(plans, small.masks, small.net.weights, strict=True):
        assert block_index(mask, plan.pruning.block).any()
        assert mask.mean() <= plan.pruning.density + plan.pruning.block.fin * 16 / mask.size + 0.1
        assert not weight[~mask].any()
    for bias, alive in zip(small.net.biases, small.alive.neurons[1:], strict=True):
        assert not bias[~alive].any()
    net, books = recipe.quantised(small.net, small.masks, plans, d, 0, SHORT)
    for plan, q, w in zip(plans, books, net.weights, strict=True):
        assert q.codebooks.shape[1] == 1 << plan.bits
        assert np.array_equal(q.look_up(), w)
    layers = recipe.integers(net, books, d)
    assert all(one.layer.shift >= 0 for one in layers)
    floats = net.accuracy(d.held, d.held_labels)
    assert recipe.integer_accuracy(layers, d) == pytest.approx(floats, abs=0.01)
    save(tmp_path / "net.npz", plans, books, layers, seed=0)
    stored, about = load(tmp_path / "net.npz")
    assert about == {"seed": 0}
    for one, was, plan in zip(stored, layers, plans, strict=True):
        assert (one.layer, one.bits, one.cut) == (was.layer, plan.bits, plan.cut)
        assert one.block == plan.pruning.block
        assert np.array_equal(one.weights, was.weights)
        assert np.array_equal(one.bias, was.bias)


def test_blocks_that_hang_on_dead_neurons_go():
    """Unread outputs: a whole block of them goes, one alone within a block stays."""
    plans = [replace(RECIPES["digits-mlp"].plans[0]), RECIPES["digits-mlp"].plans[1]]
    masks = [np.ones(plan.layer.weights_shape, bool) for plan in plans]
    masks[1][:, :16] = False
    masks[1][:, 20] = False
    kept, alive = recipe._living(masks, plans)
    assert plans[0].pruning.block == Block(fin=2, fout=16)
    assert not kept[0][:16].any()
    assert kept[0][16:].all()
    assert not alive.neurons[1][20] and alive.neurons[1][21]


def test_shipped_network_is_as_good_as_it_says():
    layers, about = shipped("digits-mlp")
    d = data()
    x = np.rint(d.held * 16).astype(np.int64)
    for one in layers:
        layer = replace(one.layer, batch=len(x))
        x = reference(layer, one.weights, x.reshape(layer.activations_shape), one.bias, 48).outputs
    accuracy = float((x.reshape(len(x), -1).argmax(1) == d.held_labels).mean())
    assert accuracy == about["accuracy"]["integer"]
    assert accuracy > about["accuracy"]["dense"] - 0.03
    assert [one.bits for one in layers] == [4, 4, 4]
    assert all(block_index(one.indices >= 0, one.block).any() for one in layers)
