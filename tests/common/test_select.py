import pytest
from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.common.select import select, select_bit
from sim.common.runner import SIMULATORS, simulate

CONFIGS = [{"count": 1, "width": 3, "bits": 1}, {"count": 5, "width": 2, "bits": 50},
           {"count": 32, "width": 24, "bits": 128}]


class Selects(wiring.Component):
    def __init__(self, count, width, bits):
        super().__init__({
            "values": In(data.ArrayLayout(width, count)), "bits": In(bits),
            "index": In(range(max(count, bits) + 3)), "value": Out(width), "bit": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.value.eq(select(list(self.values), self.index)),
                     self.bit.eq(select_bit(self.bits, self.index))]
        return m


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bench(simulator, config):
    simulate(Selects(**config), "sim.common.bench_select", simulator=simulator, config=config)


def test_nothing_to_select_from():
    with pytest.raises(ValueError, match="values to select from must be at least 1, not 0"):
        select([], 0)
