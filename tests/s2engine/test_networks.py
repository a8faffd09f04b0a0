"""Real layers at the paper's size: 16 × 16 PEs in RTL against golden and the cycle model."""

from dataclasses import replace

import pytest

from golden.tensors import Tensors
from hw.s2engine.config import PRESETS
from sim.common.design import BENCH
from sparseforge.networks.network import network, synthesise
from tests.common.harness import Case
from tests.s2engine.design import S2, compile

CONFIG = PRESETS["paper"]


@pytest.fixture(scope="module")
def build():
    return S2.rtl.build(CONFIG, "verilator")


def run_and_compare(build, name, layer_name, kernels=None):
    """A layer, or its first kernels, synthetic at its published densities."""
    entries = [e for e in network(name).entries if e.layer.name == layer_name]
    (layer, tensors), = synthesise(entries, acc_bits=CONFIG.acc_bits, data_bits=8)
    if kernels:
        bias = None if tensors.bias is None else tensors.bias[:kernels]
        layer = replace(layer, k=kernels, groups=1, c=tensors.weights.shape[1])
        tensors = Tensors(tensors.weights[:kernels], tensors.activations[:layer.c], bias)
    layer = replace(layer, out_bits=8)
    case = Case(0, [layer], [tensors], compile([layer], [tensors], CONFIG))
    run, = S2.rtl.run(build, [case.program], max_cycles=1 << 26)
    S2.check([case], [run], BENCH)
    print(f"{layer_name}: {sum(run.cycles)} cycles, {run.wall_s:.1f} s", flush=True)


@pytest.mark.regress
def test_alexnet_conv3_first_kernels(build):
    run_and_compare(build, "alexnet", "conv3", 32)


@pytest.mark.regress
@pytest.mark.parametrize("name, layer", [("alexnet", "conv3"), ("vgg16", "conv3_2")])
def test_whole_layers(build, name, layer):
    run_and_compare(build, name, layer)
