"""Training and sparse inference in one flow: trained, pruned, classified by the others' RTL."""

import importlib

import numpy as np
import pytest

from golden.cambricon_s.pruning import Block, Pruning, prune
from golden.layers import reference
from golden.tensors import Tensors
from sparseforge import cli
from sparseforge.networks.digits import reader

IMAGES = 3
DENSITY = 0.6


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    assert cli.run(["train", "tnpu", "--epochs", "3", "--json", "-o", str(folder),
                    "--export", str(folder / "digits.onnx")]) == 0
    return reader.load(folder / "digits.onnx")


def pruned(layers, weights):
    """Blocks that eight outputs share; the first layer, of a single colour, stays as it is."""
    return [w if n == 0 else w * prune(w, Pruning(block=Block(fout=2 if layer.is_fc else 8),
                                                  density=DENSITY))
            for n, (layer, w) in enumerate(zip(layers, weights, strict=True))]


def classes(layers, weights, biases, images):
    """The classes that integers give, by the reference."""
    out = []
    for x in images:
        for layer, w, b in zip(layers, weights, biases, strict=True):
            x = reference(layer, w, x.reshape(layer.activations_shape), b).outputs
        out.append(int(x.argmax()))
    return np.array(out)


@pytest.mark.regress
def test_pruned_network_still_classifies(trained):
    layers, weights, biases = trained
    images, labels = reader.images()
    dense = np.mean(classes(layers, weights, biases, images) == labels)
    sparse = np.mean(classes(layers, pruned(layers, weights), biases, images) == labels)
    print(f"held out: {dense:.2%} dense, {sparse:.2%} with {DENSITY:.0%} of the synapses")
    assert dense > 0.93 and sparse > 0.75


@pytest.mark.regress
@pytest.mark.parametrize(("design", "preset"), [("scnn", "demo"), ("cambricon_s", "small")])
def test_the_others_rtl_classifies(trained, design, preset):
    layers, dense, biases = trained
    weights, (images, _) = pruned(layers, dense), reader.images()
    config = importlib.import_module(f"hw.{design}.config").PRESETS[preset]
    compile = importlib.import_module(f"golden.{design}.compile").compile
    rtl = importlib.import_module(f"sim.{design}.run").RTL
    programs = []
    for image in images[:IMAGES]:
        given, x = [], image
        for layer, w, b in zip(layers, weights, biases, strict=True):
            given.append(Tensors(w, x.reshape(layer.activations_shape), b))
            x = reference(layer, w, given[-1].activations, b).outputs
        programs.append(compile(layers, given, config))
    runs = rtl.run(rtl.build(config, "icarus"), programs)
    got = [int(np.asarray(run.outputs()).argmax()) for run in runs]
    assert got == classes(layers, weights, biases, images[:IMAGES]).tolist()
