"""Blocks of the storage PE, and what feeds the network from memory."""
from dataclasses import replace

import pytest

from hw.mnf.bank import Bank
from hw.mnf.config import PRESETS
from hw.mnf.feeder import Feeder
from hw.mnf.storage_pe import StoragePE
from sim.common.runner import simulate

TINY = PRESETS["tiny"]


def test_bank():
    simulate(Bank(TINY), "sim.mnf.bench_bank", simulator="icarus", config=TINY)


@pytest.mark.parametrize("cols, rows, ports", [(2, 2, 2), (2, 3, 2), (3, 1, 1)])
def test_feeder(cols, rows, ports):
    config = replace(TINY, mesh_cols=cols, mesh_rows=rows, ports=ports)
    simulate(Feeder(config), "sim.mnf.bench_feeder", simulator="icarus", config=config)


@pytest.mark.parametrize("cols, rows, ports", [(2, 3, 3), (3, 1, 1)])
def test_storage_pe(cols, rows, ports):
    config = replace(TINY, mesh_cols=cols, mesh_rows=rows, ports=ports)
    simulate(StoragePE(config), "sim.mnf.bench_storage_pe", simulator="icarus", config=config)
