"""Real layers at the paper's size: the 64-PE RTL against golden and the cycle model."""

from dataclasses import replace

import pytest

from golden.scnn.compile import compile
from hw.scnn.config import PRESETS
from sim.common.design import BENCH
from sparseforge.networks.network import network, synthesise
from tests.common.harness import Case
from tests.scnn.design import SCNN

CONFIG = PRESETS["paper"]
LARGEST_IMAGE = 1 << 26     # bytes


@pytest.fixture(scope="module")
def build():
    return SCNN.rtl.build(CONFIG, "verilator", memory_bytes=LARGEST_IMAGE)


def layers_of(name, wanted):
    """(layer, tensors) of a network's layers, synthetic at their published densities."""
    entries = [e for e in network(name).entries if wanted(e.layer)]
    return list(synthesise(entries, acc_bits=CONFIG.acc_bits))


def run_and_compare(build, pairs, config=CONFIG):
    """Each layer as a program of its own: every output, every cycle, every counter."""
    for n, (layer, tensors) in enumerate(pairs):
        case = Case(n, [layer], [tensors], compile(layer, tensors, config))
        run, = SCNN.rtl.run(build, [case.program])
        SCNN.check([case], [run], BENCH)
        print(f"{layer.name}: {sum(run.cycles)} cycles, {run.wall_s:.1f} s", flush=True)


def test_alexnet_conv3(build):
    run_and_compare(build, layers_of("alexnet", lambda layer: layer.name == "conv3"))


def test_googlenet_inception_5b(build):
    run_and_compare(build, layers_of("googlenet",
                                     lambda layer: layer.name.startswith("inception_5b")))


@pytest.mark.regress
@pytest.mark.parametrize("name", ["alexnet", "googlenet", "vgg16"])
def test_all_convolutions(build, name):
    run_and_compare(build, layers_of(name, lambda layer: not layer.is_fc))


@pytest.mark.regress
@pytest.mark.parametrize("side", [2, 4])
def test_grids_of_fewer_pes(side):
    """Section VI-C's grids of 4 and 16 PEs, with the paper's multipliers per PE."""
    config = replace(CONFIG, pe_rows=side, pe_cols=side)
    build = SCNN.rtl.build(config, "verilator", memory_bytes=LARGEST_IMAGE, opt=3)
    run_and_compare(build, layers_of("googlenet",
                                     lambda layer: layer.name.startswith("inception_5b")), config)
