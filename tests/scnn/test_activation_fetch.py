import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from hw.scnn.activation_fetch import ActivationFetch
from hw.scnn.activation_ram import ActivationRAM, write_layout
from hw.scnn.config import PRESETS
from sim.common.runner import SIMULATORS, simulate

OUTSIDE = ("i", "o", "base", "kc", "limit", "range_error")


class FetchWithRAM(wiring.Component):
    """The fetch and the RAM that it reads."""

    def __init__(self, cfg):
        self.cfg = cfg
        self.fetch = ActivationFetch(cfg)
        members = self.fetch.signature.members
        super().__init__({**{name: members[name] for name in OUTSIDE},
                          "write": Out(write_layout(cfg)).flip()})

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = fetch = self.fetch
        m.submodules.ram = ram = ActivationRAM(self.cfg)
        for name in ("i", "o"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(fetch, name))
        m.d.comb += [
            fetch.base.eq(self.base), fetch.kc.eq(self.kc), fetch.limit.eq(self.limit),
            self.range_error.eq(fetch.range_error), ram.write.eq(self.write),
            ram.table_addr.eq(fetch.table_addr), fetch.table_data.eq(ram.table_data),
            ram.row_addr.eq(fetch.row_addr), fetch.row_data.eq(ram.row_data),
        ]
        return m


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_bench(simulator, preset):
    simulate(FetchWithRAM(PRESETS[preset]), "sim.scnn.bench_activation_fetch", simulator=simulator,
             config=PRESETS[preset])
