"""The image of a program, executed, leaves what golden computes from the tensors."""

from dataclasses import replace

import numpy as np
import pytest

from golden.layers import Layer, Pool
from golden.tnpu import train
from golden.tnpu.compile import compile, compile_parts
from golden.tnpu.execute import Machine
from golden.tnpu.host import form_errors
from golden.tnpu.network import Network, initial
from golden.tnpu.schedule import SCHEDULES
from hw.tnpu.config import PRESETS, TNPUConfig


def conv(name, c, h, w, k, r, s, **rest):
    return Layer(name=name, c=c, h=h, w=w, k=k, r=r, s=s, **{"bias": True, "relu": True, **rest})


def max_pool(k, s):
    return Pool(kind="max", k=k, s=s)


NETWORKS = {
    "fc": Network((Layer.fc("a", 21, 18, bias=True, relu=True), Layer.fc("b", 18, 3))),
    "conv": Network((conv("a", 3, 7, 6, 5, 3, 2, pad=1),)),
    "stride": Network((conv("a", 18, 7, 8, 4, 3, 3, pad=(1, 0, 2, 1), stride=2),
                       conv("b", 4, 3, 5, 20, 2, 3, stride=2, bias=False, relu=False))),
    "tall": Network((conv("a", 1, 8, 4, 2, 7, 2, relu=False),)),
    "lenet": Network((conv("a", 1, 9, 9, 4, 3, 3, pool=max_pool(2, 2)),
                      conv("b", 4, 3, 3, 18, 2, 2, pool=max_pool(3, 1), pad=1),
                      Layer.fc("c", 72, 11, bias=True, relu=True),
                      Layer.fc("d", 11, 5, bias=True))),
    "average": Network((conv("a", 2, 7, 7, 17, 3, 3, pad=1,
                             pool=Pool(kind="avg", k=3, s=2)),
                        conv("b", 17, 3, 3, 6, 1, 1), Layer.fc("c", 54, 4, bias=True))),
    # Two windows that share a column: the way back meets its sum after less than a group.
    "overlap": Network((conv("a", 1, 4, 4, 5, 3, 2, pool=Pool(kind="avg", k=2, s=1)),
                        Layer.fc("b", 10, 1, bias=True, relu=True))),
    "groups": Network((conv("a", 32, 4, 4, 32, 2, 1, groups=2, pool=max_pool(2, 2)),)),
}


def batch_of(network, batch, seed=0):
    rng = np.random.default_rng(seed)
    first, last = network.layers[0], network.layers[-1]
    inputs = rng.standard_normal((batch, first.c, first.h, first.w)).astype(np.float32)
    targets = rng.standard_normal((batch, last.k, last.out_h, last.out_w)).astype(np.float32)
    parameters = initial(network, seed)
    for value in (*parameters.biases, *parameters.weight_velocities):
        value[:] = rng.uniform(-0.1, 0.1, value.shape)
    return parameters, inputs, targets


def executed(network, cfg, batch, schedule, **rest):
    """(program, memory after it, golden's parameters, golden's instances, parameters before)."""
    parameters, inputs, targets = batch_of(network, batch)
    program = compile(network, cfg, batch, schedule=schedule, rate=0.05, momentum=0.9, **rest)
    memory = program.image(parameters, inputs, targets)
    before = parameters.copy()
    instances = train.step(network, parameters, inputs, targets, rate=0.05, momentum=0.9)
    machine = Machine(cfg, memory, program.base)
    machine.run({unit: (program.queue_at[unit], program.count(unit)) for unit in "cf"})
    return program, memory, parameters, instances, before


def equal(a, b):
    return all(np.array_equal(x.view(np.uint32), y.view(np.uint32))
               for x, y in zip(a.arrays(), b.arrays(), strict=True))


@pytest.mark.parametrize("preset", ["paper", "small", "tiny"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_on_every_grid(name, preset):
    network, cfg = NETWORKS[name], PRESETS[preset]
    program, memory, golden, instances, before = executed(network, cfg, 4, "sosm")
    assert equal(program.parameters(memory), golden)
    assert not equal(before, golden)
    for n, one in enumerate(instances):
        region = "p" if network.layers[-1].pool else "y"
        got = program.tensor(memory, f"{region}{len(network.layers) - 1}", n)
        assert np.array_equal(got, one.output.reshape(got.shape))


GRIDS = {
    "8 x 16 + 2": replace(PRESETS["paper"], rows_c=8, rows_f=2),
    "1 x 16 + 16": replace(PRESETS["paper"], rows_c=1, rows_f=16, x_words_c=4096),
    "2 x 4 + 2": replace(PRESETS["small"], rows_c=2, rows_f=2, w_words_f=4096),
    "1 x 2 + 1": replace(PRESETS["tiny"], rows_c=1),
}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", ["stride", "lenet", "average", "groups"])
def test_grids_that_are_not_square(name, grid):
    """As one pool, so that both units run convolutions."""
    program, memory, golden, _, _ = executed(NETWORKS[name], GRIDS[grid], 3, "time_multiplexed")
    assert equal(program.parameters(memory), golden)
    if (name, grid) == ("average", "2 x 4 + 2"):
        lent = {piece.block.phase for piece in program.queues["f"] if piece.block.lent}
        assert lent == {"FP", "BP", "GD"}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("batch", [1, 5])
def test_every_schedule_leaves_the_same_bits(schedule, batch):
    program, memory, golden, _, _ = executed(NETWORKS["lenet"], PRESETS["small"], batch, schedule)
    assert equal(program.parameters(memory), golden)


@pytest.mark.parametrize(("schedule", "mode", "small"), [
    ("sosm", "chip", {"s_words_f": 4096}), ("separate", "chip", {"s_words_f": 4096}),
    ("sosm", "batch", {"x_words_f": 8}), ("time_multiplexed", "batch", {})])
def test_every_way_to_add_up_gradients_leaves_the_same_bits(schedule, mode, small):
    cfg = replace(PRESETS["small"], **small)
    program, memory, golden, _, _ = executed(NETWORKS["lenet"], cfg, 5, schedule,
                                             fc_gradients=mode)
    assert equal(program.parameters(memory), golden)


@pytest.mark.parametrize(("name", "mode"), [("fc", "chip"), ("conv", "memory"),
                                            ("lenet", "batch")])
def test_softmax_by_the_host(name, mode):
    network, cfg = replace(NETWORKS[name], loss="softmax"), replace(PRESETS["small"],
                                                                    s_words_f=4096)
    parameters, inputs, targets = batch_of(network, 4)
    parts = compile_parts(network, cfg, 4, rate=0.05, fc_gradients=mode)
    memory = parts[0].image(parameters, inputs, targets)
    train.step(network, parameters, inputs, targets, rate=0.05, momentum=0.9)
    for n, part in enumerate(parts):
        if n:
            memory, words = form_errors(part, memory)
            assert words * cfg.lanes >= 3 * 4 * network.layers[-1].k
        Machine(cfg, memory, part.base).run(
            {unit: (part.queue_at[unit], part.count(unit)) for unit in "cf"})
    assert equal(parts[0].parameters(memory), parameters)


@pytest.mark.parametrize("look_ahead", [1, 2, 3, 5])
def test_look_ahead(look_ahead):
    program, memory, golden, _, _ = executed(NETWORKS["average"], PRESETS["small"], 7, "sosm",
                                             look_ahead=look_ahead)
    assert equal(program.parameters(memory), golden)


def test_small_buffers_cut_more_and_change_nothing():
    cfg = TNPUConfig(lanes=4, slots=5, x_words_c=384, w_words_c=1152, s_words_c=160, x_words_f=16,
                     w_words_f=32, s_words_f=12)
    program, memory, golden, _, _ = executed(NETWORKS["lenet"], cfg, 3, "sosm")
    assert equal(program.parameters(memory), golden)


@pytest.mark.parametrize("phases", [("FP",), ("BP",), ("GD",), ("WU",), ("FP", "BP")])
def test_phases_alone(phases):
    """Any choice of phases runs to its end."""
    for name in ("fc", "conv", "lenet"):
        network, cfg = NETWORKS[name], PRESETS["small"]
        parameters, inputs, targets = batch_of(network, 2)
        program = compile(network, cfg, 2, phases=phases, input_error=True)
        memory = program.image(parameters, inputs, targets)
        Machine(cfg, memory, program.base).run(
            {unit: (program.queue_at[unit], program.count(unit)) for unit in "cf"})


@pytest.mark.parametrize(("network", "cfg", "rest", "message"), [
    ("fc", PRESETS["tiny"], {"schedule": "random"}, "schedule must be one of"),
    ("fc", PRESETS["tiny"], {"fc_gradients": "some"}, "fc-gradients must be one of"),
    ("fc", PRESETS["tiny"], {"fc_gradients": "chip"}, "must hold the 784 words of the FC"),
    ("fc", PRESETS["tiny"], {"batch": 0}, "batch must be 1 to 65536"),
    ("conv", PRESETS["tiny"], {"look_ahead": 0}, "look-ahead must be"),
    ("conv", TNPUConfig(lanes=4, w_words_c=64), {}, "a: W of PU-c must hold"),
    ("conv", TNPUConfig(lanes=4, s_words_c=8), {}, "one row of outputs"),
    ("stride", TNPUConfig(lanes=4, slots=2), {}, "must hold a row of the kernel"),
    ("fc", TNPUConfig(lanes=4, addr_bits=16), {"batch": 99}, "must fit 65536 bytes"),
])
def test_refusals(network, cfg, rest, message):
    with pytest.raises(ValueError, match=message):
        compile(NETWORKS[network], cfg, **({"batch": 2} | rest))


def test_softmax_needs_the_host():
    network = replace(NETWORKS["fc"], loss="softmax")
    with pytest.raises(ValueError, match="programs of their own"):
        compile(network, PRESETS["tiny"], 2)
    with pytest.raises(ValueError, match="the schedule must be sosm, not separate"):
        compile_parts(network, PRESETS["tiny"], 2, schedule="separate")
