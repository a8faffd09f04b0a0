"""NSM on the RTL, and its proof for small windows."""

from dataclasses import replace

import pytest
from amaranth.hdl import Assert, Cat, Cover, Mux, Signal, Value

from hw.cambricon_s.config import PRESETS
from hw.cambricon_s.nsm import NSM
from sim.common.formal import AnyConst, fires, prove
from sim.common.runner import SIMULATORS, simulate

TINY = PRESETS["tiny"]
CONFIGS = {"tiny": TINY, "small": PRESETS["small"],
           "one_lane": replace(TINY, tn=1, window=4, nsm_steps=2),
           "two_lanes": replace(TINY, tn=2, window=4),
           "a_window_of_one_vector": replace(PRESETS["small"], window=4, nsm_steps=3)}


@pytest.mark.parametrize("name", CONFIGS)
def test_selects_by_definition_in_icarus(name):
    simulate(NSM(CONFIGS[name]), "sim.cambricon_s.bench_nsm", simulator="icarus",
             config=CONFIGS[name])


@pytest.mark.regress
@pytest.mark.parametrize("name", ["tiny", "paper"])
def test_selects_by_definition_in_verilator(name):
    simulate(NSM(PRESETS[name]), "sim.cambricon_s.bench_nsm", simulator=SIMULATORS[1],
             config=PRESETS[name])


def definition(m, block):
    """The n-th chosen neuron of a segment, any n, leaves in lane n mod Tn of its vector n div Tn,
    with the synapses before it as its target; and nothing else leaves."""
    cfg, window, vector = block.cfg, block.i.p, block.o.p
    segment, which = Signal(4), Signal(4)           # any segment, any of its chosen neurons
    m.d.comb += [segment.eq(AnyConst(4)), which.eq(AnyConst(4))]
    entering, chosen, synapses = Signal(4), Signal(5), Signal(5)
    neuron, target, there = Signal(cfg.data_bits), Signal(5), Signal()
    total, synapses_in_all, ended = Signal(5), Signal(5), Signal()
    before, connected_before = chosen, synapses
    for n in range(cfg.window):
        connected = (n < window.count) & (window.index[n] | window.dense)
        takes = Signal(name=f"takes_{n}")
        m.d.comb += takes.eq(connected & (window.neurons[n].any() | ~window.dynamic))
        with m.If(fires(block.i) & takes & (entering == segment) & (before == which)):
            m.d.sync += [neuron.eq(window.neurons[n]), target.eq(connected_before), there.eq(1)]
        after, connected_after = Signal(5, name=f"chosen_{n}"), Signal(5, name=f"synapses_{n}")
        m.d.comb += [after.eq(before + takes), connected_after.eq(connected_before + connected)]
        before, connected_before = after, connected_after
    with m.If(fires(block.i)):
        m.d.sync += [chosen.eq(Mux(window.last, 0, before)),
                     synapses.eq(Mux(window.last, 0, connected_before)),
                     entering.eq(entering + window.last)]
        with m.If(window.last & (entering == segment)):
            m.d.sync += [total.eq(before), synapses_in_all.eq(connected_before), ended.eq(1)]
    leaving, left = Signal(4), Signal(5)
    with m.If(fires(block.o)):
        m.d.sync += [left.eq(Mux(vector.last, 0, left + vector.count)),
                     leaving.eq(leaving + vector.last)]
        m.d.comb += Assert(vector.last | (vector.count == cfg.tn), "an empty lane before the end")
        with m.If(leaving == segment):
            for lane in range(cfg.tn):
                with m.If((left + lane == which) & (lane < vector.count)):
                    m.d.comb += [
                        Assert(there, "a neuron left that never came"),
                        Assert(Cat(vector.lanes[lane].neuron) == neuron, "another neuron left"),
                        Assert(vector.lanes[lane].target == target[:cfg.target_bits],
                               "another target"),
                        Cover(left != 0)]
            with m.If(vector.last):
                m.d.comb += [Assert(ended & (left + vector.count == total), "a neuron was lost"),
                             Assert(vector.synapses == synapses_in_all, "synapses lost")]
    m.d.comb += Cover(Value.cast(leaving) == 2)


def test_small_windows_are_proven():
    """In every run of 11 cycles from reset, of whatever windows and stalls."""
    cfg = replace(TINY, window=2, tn=2, data_bits=2, acc_bits=4, nsm_steps=4)
    prove(NSM(cfg), "nsm_2_2", properties=definition, bound=11, cover_depth=12)
