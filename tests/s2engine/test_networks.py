"""Real layers at the paper's sizes, 16 × 16 and 32 × 32 PEs in RTL: golden's outputs, the cycle
model's cycles, causes and counters. And the largest array, emitted."""

import time
from dataclasses import replace

import pytest

from golden.tensors import Tensors
from hw.emit import emit
from hw.s2engine.array import PEArray
from hw.s2engine.config import PRESETS, S2Config
from sim.common.design import BENCH
from sparseforge.networks.network import network, synthesise
from tests.common.harness import Case
from tests.s2engine.design import S2, compile

FIRST = 32      # kernels of a layer that `make test` runs
POINTWISE, SQUARE = "res3a/branch2c", "res3a/branch2b"      # ResNet50: 1 × 1 and 3 × 3, 28 × 28


def layer_of(name, layer_name, config, kernels=None):
    """A layer, or its first kernels, synthetic at its published densities."""
    entries = [e for e in network(name).entries if e.layer.name == layer_name]
    (layer, tensors), = synthesise(entries, acc_bits=config.acc_bits, data_bits=8)
    if kernels:
        bias = None if tensors.bias is None else tensors.bias[:kernels]
        layer = replace(layer, k=kernels, groups=1, c=tensors.weights.shape[1])
        tensors = Tensors(tensors.weights[:kernels], tensors.activations[:layer.c], bias)
    return replace(layer, out_bits=8), tensors


def run_and_compare(preset, name, layer_name, kernels=None):
    config = PRESETS[preset]
    layer, tensors = layer_of(name, layer_name, config, kernels)
    case = Case(0, [layer], [tensors], compile([layer], [tensors], config))
    run, = S2.rtl.run(S2.rtl.build(config, "verilator"), [case.program], max_cycles=1 << 26)
    S2.check([case], [run], BENCH)
    print(f"{preset}, {name}/{layer_name}: {sum(run.cycles)} cycles, {run.wall_s:.1f} s",
          flush=True)


@pytest.mark.parametrize("name, layer", [
    ("alexnet", "conv3"), ("resnet50", POINTWISE), ("resnet50", SQUARE)])
def test_first_kernels(name, layer):
    run_and_compare("paper", name, layer, FIRST)


@pytest.mark.regress
@pytest.mark.parametrize("name, layer", [
    ("alexnet", "conv3"), ("resnet50", POINTWISE), ("resnet50", SQUARE), ("vgg16", "conv3_2")])
def test_whole_layers(name, layer):
    run_and_compare("paper", name, layer)


@pytest.mark.regress
def test_alexnet_conv3_on_32_x_32():
    run_and_compare("paper-32", "alexnet", "conv3")


@pytest.mark.regress
def test_the_largest_array_is_emitted():
    """128 × 128 PEs: one module for the PE and one for the row; what grows are the wires between
    rows."""
    began = time.monotonic()
    large = emit(PEArray(S2Config(rows=128, cols=128)), "array").verilog
    print(f"128 x 128: {len(large) / 1e6:.1f} MB in {time.monotonic() - began:.1f} s")
    assert large.count("\nmodule PE(") == large.count("\nmodule PERow(") == 1
    few = emit(PEArray(S2Config(rows=2, cols=128)), "array").verilog
    assert len(large) < 32 * len(few)
