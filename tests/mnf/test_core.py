"""The blocks of a PE's core, each on its own."""
import dataclasses

import pytest

from hw.mnf.config import PRESETS
from hw.mnf.dispatcher import Dispatcher
from hw.mnf.load import Load
from hw.mnf.mac_cluster import MACCluster
from sim.common.runner import simulate

NARROW = dataclasses.replace(PRESETS["tiny"], acc_bits=16)
CONFIGS = [pytest.param("icarus", NARROW, id="icarus-tiny"),
           pytest.param("verilator", PRESETS["paper"], id="verilator-paper",
                        marks=pytest.mark.regress)]


@pytest.mark.parametrize("simulator, config", CONFIGS)
@pytest.mark.parametrize("block, bench", [
    (Load, "load"), (Dispatcher, "dispatcher"), (MACCluster, "mac_cluster")])
def test_block(block, bench, simulator, config):
    simulate(block(config), f"sim.mnf.bench_{bench}", simulator=simulator, config=config)
