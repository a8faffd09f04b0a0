"""The benches of load module, dispatcher, MAC cluster and mesh kill every mutant that differs."""

from dataclasses import replace

import pytest

from hw.mnf.config import PRESETS
from hw.mnf.dispatcher import Dispatcher
from hw.mnf.load import Load
from hw.mnf.mac_cluster import MACCluster
from hw.mnf.mesh import Mesh
from sim.common.mutation import mutate

TINY = PRESETS["tiny"]
BLOCKS = {
    "load": (Load, "load", TINY, {"matters": {"address": "read"}}),
    "dispatcher": (Dispatcher, "dispatcher", TINY, {}),
    "mac_cluster": (MACCluster, "mac_cluster",
                    replace(TINY, lanes=4, acc_entries=24, acc_bits=16), {}),
    "router": (Mesh, "mesh", replace(TINY, mesh_cols=2, mesh_rows=2, ports=1), {}),
}


@pytest.mark.regress
@pytest.mark.parametrize("name", BLOCKS)
def test_bench_kills_every_mutant_that_differs(name):
    cls, bench, config, options = BLOCKS[name]
    report = mutate(cls(config), f"sim.mnf.bench_{bench}", name=f"mutants_mnf_{name}",
                    config=config, count=300, **options)
    print(f"{name}: {report.killed} killed, {report.equivalent} proven equivalent, undecided:",
          *report.undecided, sep="\n")
    assert report.killed + report.equivalent == 300 and not report.undecided
