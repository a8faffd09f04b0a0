"""The model over whole batches: blocks where the schedule says, the closed form near by."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from golden.layers import Layer
from golden.tnpu import cycles, estimate, timing
from golden.tnpu.compile import compile
from golden.tnpu.network import Network, unfold, unfold_input
from golden.tnpu.schedule import SCHEDULES
from golden.tnpu.train import forward
from hw.tnpu.config import PRESETS
from tests.tnpu.test_compile import NETWORKS, batch_of

PAPER, SMALL = PRESETS["paper"], PRESETS["small"]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_shared_blocks_give_the_words_cycles(schedule):
    """The arrays made block by block are those of every instruction's own fields."""
    program = compile(NETWORKS["lenet"], SMALL, 5, schedule=schedule)
    words = [cycles.queue(program.words[unit], SMALL, unit) for unit in cycles.UNITS]
    timed = timing.time(program)
    for unit, own in zip(cycles.UNITS, words, strict=True):
        made, _, _ = timing._queue(program, unit)
        for name in ("kind", "wait", "signal", "duration", "issues", "address", "beats"):
            assert np.array_equal(getattr(made, name), getattr(own, name)), name
    assert timed.cycles > 0


def spans(schedule, batch=4):
    program = compile(NETWORKS["lenet"], PAPER, batch, schedule=schedule)
    timed = timing.time(program)
    return {(s.unit, s.block.phase, s.block.instance): s for s in timed.spans
            if not s.block.lent}, timed


def test_dependences_hold_in_time():
    for schedule in SCHEDULES:
        found, timed = spans(schedule)
        for n in range(4):
            assert found["c", "FP", n].end < found["f", "FP", n].begin
            assert found["f", "BP", n].end < found["c", "BP", n].begin
            assert found["c", "BP", n].end <= found["c", "GD", n].begin
        assert max(s.end for s in timed.spans) == found["f", "WU", 4].end < timed.cycles
        assert found["f", "WU", 4].begin > max(found[u, "GD", 3].end for u in "cf")


def test_sosm_overlaps_and_multiplexing_does_not():
    found, sosm = spans("sosm")
    assert found["c", "FP", 1].begin < found["f", "FP", 0].end
    found, alone = spans("time_multiplexed")
    bars = sorted((s.begin, s.end) for s in alone.spans if not s.block.lent)
    assert all(a[1] <= b[0] for a, b in pairwise(bars))
    _, conventional = spans("conventional")
    assert sosm.cycles < conventional.cycles < alone.cycles


def test_a_share_of_the_bus_is_slower_than_all_of_it():
    network = NETWORKS["lenet"]
    runs = {share: timing.time(compile(network, replace(PAPER, share_c=share), 3,
                                       schedule="separate")).cycles for share in (16, 128, 240)}
    whole = timing.time(compile(network, PAPER, 3, schedule="conventional")).cycles
    assert whole < runs[128] < min(runs[16], runs[240])


def test_the_closed_form_is_a_bound():
    """It leaves waiting out: an instance more costs at least what it says."""
    for name in ("lenet", "conv"):
        runs = [timing.time(compile(NETWORKS[name], PAPER, batch)).cycles for batch in (6, 7)]
        costs = estimate.phases(compile(NETWORKS[name], PAPER, 2))
        rate = PAPER.rate_beats / PAPER.rate_cycles
        bound = estimate.instance(costs, "sosm", rate)
        assert bound <= runs[1] - runs[0]
        order = [estimate.instance(costs, s, rate) for s in
                 ("sosm", "conventional", "time_multiplexed")]
        assert order == sorted(order)


def test_products_are_at_least_the_layers_macs():
    layer = Layer(name="conv", c=20, h=9, w=9, k=18, r=3, s=3, pad=1)
    for cfg in PRESETS.values():
        program = compile(Network((layer,)), cfg, 1, phases=("FP",))
        assert timing.time(program).multiplications["c"] >= layer.macs


def test_unfolded_windows_are_the_same_convolution():
    network = Network((Layer(name="a", c=2, h=9, w=8, k=3, r=3, s=2, stride=2, pad=(1, 0, 2, 1),
                             relu=True, bias=True),))
    parameters, inputs, _ = batch_of(network, 1)
    integers = np.rint(inputs[0] * 9)
    for value in parameters.arrays():
        value[:] = np.rint(value * 9)
    expected = forward(network, parameters, integers).output
    other = unfold(network)
    x = unfold_input(network.layers[0], integers)
    parameters.weights[0] = parameters.weights[0].reshape(other.layers[0].weights_shape)
    assert np.array_equal(forward(other, parameters, x).output, expected)
