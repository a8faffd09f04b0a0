"""Real layers at the paper's size in RTL, and the digits network end to end."""

from dataclasses import replace

import numpy as np
import pytest

from hw.mnf.config import PRESETS
from sim.common.design import BENCH
from sparseforge.networks.network import digits_chain, network, synthesise
from tests.common.harness import Case, same
from tests.mnf.design import MNF, compile
from tests.mnf.test_top import sane

LAYERS = [("alexnet", "conv2"), ("alexnet", "conv3"), ("alexnet", "fc7"), ("vgg16", "conv1_1"),
          ("vgg16", "conv4_2")]


def layer_of(name, layer_name, kernels=None):
    """A layer, or its first kernels, synthetic at its published densities."""
    entries = [e for e in network(name).entries if e.layer.name == layer_name]
    (layer, tensors), = synthesise(entries, acc_bits=32, data_bits=8)
    if kernels:
        bias = None if tensors.bias is None else tensors.bias[:kernels]
        layer = replace(layer, k=kernels, groups=1, c=tensors.weights.shape[1])
        tensors = replace(tensors, weights=tensors.weights[:kernels], bias=bias,
                          activations=tensors.activations[:layer.c])
    return replace(layer, out_bits=8), tensors


@pytest.mark.regress
@pytest.mark.parametrize("name, layer_name", LAYERS)
def test_whole_layers(name, layer_name):
    config = PRESETS["paper"]
    layer, tensors = layer_of(name, layer_name)
    case = Case(0, [layer], [tensors], compile([layer], [tensors], config))
    run, = MNF.rtl.run(MNF.rtl.build(config, "verilator"), [case.program], max_cycles=1 << 26)
    print(f"paper, {name}/{layer_name}: {run.cycles} cycles, {run.causes}, {run.wall_s:.0f} s",
          flush=True)
    MNF.check([case], [run], BENCH)
    sane(run)


def test_digits_end_to_end():
    """The trained network on a held-out image; what it fires stays on chip to the last layer."""
    config = PRESETS["small"]
    pairs = list(digits_chain(network("digits").entries, acc_bits=config.acc_bits))
    layers, tensors = [p[0] for p in pairs], [p[1] for p in pairs]
    layers[-1] = replace(layers[-1], out_bits=8, shift=None)    # its scores had 16 bits
    program = compile(layers, tensors, config)
    run, = MNF.rtl.run(MNF.rtl.build(config, "verilator"), [program])
    expected = [one.outputs for one in MNF.golden(layers, tensors, config)]
    assert same(run.outputs(), expected[-1])
    report = MNF.cycles(program)
    assert run.cycles == report.segment_cycles and run.causes == report.causes
    assert run.counters == report.counters
    fired = sum(np.count_nonzero(out) for out in expected)
    report = MNF.cycles(program, **BENCH.as_dict())
    assert (run.cycles, run.causes, run.counters) == (
        report.segment_cycles, report.causes, report.counters)
    assert run.counters["fired"] == fired
    assert run.counters["spilled"] == np.count_nonzero(expected[-1])
    sane(run)
