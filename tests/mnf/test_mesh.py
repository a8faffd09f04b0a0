"""The mesh: one port, a port per row, and a section of two rows."""
import dataclasses

import pytest

from hw.mnf.config import PRESETS
from hw.mnf.mesh import Mesh
from sim.common.runner import simulate

TINY = PRESETS["tiny"]


@pytest.mark.parametrize("cols, rows, ports", [(2, 2, 2), (3, 3, 2), (2, 2, 1)])
def test_mesh(cols, rows, ports):
    config = dataclasses.replace(TINY, mesh_cols=cols, mesh_rows=rows, ports=ports)
    simulate(Mesh(config), "sim.mnf.bench_mesh", simulator="icarus", config=config)


@pytest.mark.regress
def test_paper():
    simulate(Mesh(PRESETS["paper"]), "sim.mnf.bench_mesh", simulator="verilator",
             config=PRESETS["paper"])
