"""Layers through compile: the array's cycles and sums against the array stepped cycle by cycle,
fed as hw/s2engine/README.md words it; Fig. 8; refusals."""

import numpy as np
import pytest

from golden import layers as arithmetic
from golden.dense.systolic import systolic_cycles
from golden.layers import Layer
from golden.s2engine.array import CHAIN, EMPTY, FB
from golden.s2engine.compile import compile
from golden.s2engine.cycles import cycles
from golden.s2engine.image import program
from golden.s2engine.timing import array_run, sampled
from golden.tensors import Tensors, synthetic
from hw.s2engine.config import PRESETS, S2Config
from tests.s2engine import streams
from tests.s2engine.reference import CE, Machine

CONFIG = S2Config(rows=4, cols=3, group=4, mixed=True, w_depth=2, f_depth=3, ratio=2,
                  fb_tokens=4096, wb_tokens=4096)


def columns(layer):
    """Kernel columns in the order of the groups, with k and whether it is the residue's last."""
    t, s = layer.stride, layer.s
    return [(c, k, c + t >= s) for rho in range(min(t, s))
            for k, c in enumerate(range(rho, s, t))]


def machine(layer, weights, plane, config, ce):
    """The array and what feeds it, for a layer of one group and one image."""
    depth = -(-layer.c // config.group) * config.group
    top, bottom, left, right = layer.pads
    padded = np.pad(plane, ((0, depth - layer.c), (top, bottom), (left, right)))
    filled = np.pad(weights, ((0, 0), (0, depth - layer.c), (0, 0), (0, 0)))
    pixels = [(y, x) for y in range(layer.ho) for x in range(layer.wo)]
    tiles = np.array_split(np.arange(len(pixels)), -(-len(pixels) // config.rows))
    kernels = np.array_split(np.arange(layer.k), -(-layer.k // config.cols))
    order = [(g, r, *c) for g in range(0, depth, config.group) for r in range(layer.r)
             for c in columns(layer)]
    flows, commands, fed = ([[] for _ in range(n)] for n in (config.cols, config.rows, config.rows))
    for tile in tiles:
        for many in kernels:
            for j in range(config.cols):
                groups = [filled[many[j], g:g + config.group, r, c] if j < len(many) else
                          np.zeros(config.group, int) for g, r, c, _, _ in order]
                flows[j] += streams.tokens(np.array(groups), len(order))
            for i in range(config.rows):
                for g, r, c, k, final in order:
                    if i >= len(tile):
                        commands[i].append((EMPTY, 0))
                        continue
                    y, x = pixels[tile[i]]
                    first = i == 0 or x == 0
                    end = i == len(tile) - 1 or x == layer.wo - 1
                    source = FB if k == 0 or end or not ce else CHAIN
                    commands[i].append((source, int(ce and not first and not final)))
                    if source == FB:
                        fed[i].append(padded[g:g + config.group, y * layer.stride + r,
                                             x * layer.stride + c])
    ces = [CE(c, streams.tokens(np.array(f)) if f else [], config.hold_depth)
           for c, f in zip(commands, fed, strict=True)]
    depths = config.w_depth, config.f_depth, config.wf_depth
    return Machine(flows, ces, depths, config.ratio), tiles, kernels


@pytest.mark.parametrize("shape, rest", [
    ((5, 4, 5, 4, 3, 3), {"pad": 1}), ((3, 7, 6, 2, 4, 3), {"stride": 2, "pad": (1, 2, 0, 1)}),
    ((9, 3, 3, 7, 1, 1), {}), ((2, 9, 9, 3, 2, 5), {"stride": 3}),
    ((6, 5, 9, 2, 1, 2), {"stride": 4}), ((17, 1, 1, 5, 1, 1), {}),
])
@pytest.mark.parametrize("ce", [True, False])
def test_cycles_and_sums_of_layers(shape, rest, ce):
    layer = Layer(**dict(zip("chwkrs", shape, strict=True)), **rest)
    given = synthetic(layer, weight_density=0.5, activation_density=0.6, data_bits=9, acc_bits=32)
    work = compile(layer, given, CONFIG)
    slow, tiles, kernels = machine(layer, given.weights, given.activations, CONFIG, ce)
    took = slow.run(len(tiles) * len(kernels))
    run = array_run(work.passes[0], ce=ce)
    assert run.cycles == took
    assert run.products == sum(pe.causes["multiply"] for row in slow.pes for pe in row)
    assert run.fb_groups == sum(ce.reads for ce in slow.ces)
    sums = arithmetic.sums(layer, given.weights, given.activations).reshape(layer.k, -1)
    for i, left in enumerate(slow.left):
        got = iter([value for _, value in left])
        for tile in tiles:
            for many in kernels:
                for j in range(CONFIG.cols):
                    value = next(got)
                    used = i < len(tile) and j < len(many)
                    assert value == (sums[many[j], tile[i]] if used else 0)


def test_figure_8():
    """Three output pixels, 3 x 3, two channel groups: 30 groups from FB, 54 without CE."""
    config = S2Config(rows=3, cols=1)
    layer = Layer(c=32, h=3, w=5, k=1, r=3, s=3, out_bits=8)
    plan = compile(layer, synthetic(layer, data_bits=8), config).passes[0]
    assert array_run(plan).fb_groups == 30
    assert array_run(plan, ce=False).fb_groups == 54


def test_figure_7():
    """The toy example: seven steps, of which one emits a pair."""
    config = S2Config(rows=1, cols=1, group=6)
    weights, features = np.zeros((1, 12, 1, 1), int), np.zeros((12, 1, 1), int)
    weights[0, [0, 1, 3, 6 + 4]] = features[[1, 2, 4, 5, 6 + 1, 6 + 5]] = 1
    layer = Layer(c=12, h=1, w=1, k=1, r=1, s=1, out_bits=8)
    run = array_run(compile(layer, Tensors(weights, features.reshape(12, 1, 1)), config).passes[0])
    assert (run.steps, run.products) == (7, 1)


def test_a_group_that_is_not_there_is_a_placeholder():
    """Layers without non-zeros still end, and cost no multiplication."""
    layer = Layer(c=20, h=3, w=3, k=4, r=2, s=2)
    zero = Tensors(np.zeros(layer.weights_shape, int), np.zeros(layer.activations_shape, int))
    run = array_run(compile(layer, zero, CONFIG).passes[0])
    assert run.products == 0 and run.steps > 0


def test_products_are_the_effectual_ones():
    """8-bit data: every pair of non-zeros once, in grouped, strided, batched layers alike."""
    for layer in (Layer(c=12, h=7, w=7, k=6, r=3, s=3, groups=3, pad=1, batch=2),
                  Layer.fc("fc", 40, 9, batch=5)):
        given = synthetic(layer, weight_density=0.4, activation_density=0.5, data_bits=8,
                          acc_bits=32)
        found = cycles(program(compile(layer, given, CONFIG))).of()
        counts = found["counts"]
        must = arithmetic.effectual_macs(layer, given.weights, given.activations)
        assert found["macs_done"] == found["causes"]["multiply"] == counts["must_macs"] == must
        assert sum(found["causes"].values()) == CONFIG.pes * found["cycles"]
        assert found["cycles"] > counts["array_cycles"] > counts["ds_steps"] / CONFIG.pes
        assert counts["buffer_read_bits"] <= counts["buffer_read_bits_without_ce"]
        assert counts["buffer_bits"] <= counts["buffer_bits_without_ce"]
        depths = CONFIG.w_depth, CONFIG.f_depth, CONFIG.wf_depth
        assert all(1 <= m <= d for m, d in zip(found["fifo_marks"], depths, strict=True))
        assert 0 <= found["idle_share"] < 1


def test_samples_are_near():
    layer = Layer(c=24, h=14, w=14, k=24, r=3, s=3, pad=1)
    given = synthetic(layer, weight_density=0.4, activation_density=0.5, data_bits=8)
    plan = compile(layer, given, CONFIG).passes[0]
    exact = array_run(plan).cycles
    value, half = sampled(plan, 0)
    assert 0 < half < 0.1 * exact
    assert abs(value - exact) < 3 * half


def test_what_fb_holds():
    """The tokens of the sections are what the rows read, once per kernel tile."""
    for stride, pad, size in ((1, 1, 3), (2, 0, 3), (3, 2, 2), (1, 0, 1)):
        layer = Layer(c=6, h=8, w=7, k=5, r=size, s=size, stride=stride, pad=pad)
        given = synthetic(layer, weight_density=0.4, activation_density=0.5, data_bits=9)
        plan = compile(layer, given, CONFIG).passes[0]
        for ce in (True, False):
            held = sum(plan.row_tokens(t, ce).sum() for t in range(len(plan.pixel_tiles)))
            assert held * len(plan.kernel_tiles) == array_run(plan, ce=ce).fb_tokens


def test_systolic():
    """Hand counts: one tile; two that overlap; short kernels are bound by the way out."""
    one = Layer(c=3, h=2, w=2, k=2, r=1, s=1)
    assert systolic_cycles(one, 4, 2) == 3 + 4 + 4 - 1
    two = Layer(c=3, h=2, w=2, k=4, r=1, s=1)
    assert systolic_cycles(two, 4, 2) == 3 + 10
    assert systolic_cycles(two, 4, 2, overlap=False) == 20
    assert systolic_cycles(Layer(c=1, h=2, w=2, k=4, r=1, s=1), 4, 2) == 2 + 8


@pytest.mark.parametrize("change, message", [
    ({"out_bits": 16}, "out_bits must be at most 8"), ({"product_shift": 2}, "product_shift must"),
    ({"stride": 256, "h": 300, "w": 300}, "at most 255"), ({"multiplier": 65536}, "below 65536"),
])
def test_refusals(change, message):
    layer = Layer(**{"c": 4, "h": 4, "w": 4, "k": 4, "r": 1, "s": 1, "out_bits": 8} | change)
    with pytest.raises(ValueError, match=message):
        compile(layer, synthetic(layer, data_bits=8), PRESETS["paper"])


def test_values_that_do_not_fit():
    layer = Layer(c=4, h=4, w=4, k=4, r=1, s=1, out_bits=8)
    with pytest.raises(ValueError, match="must fit into 8 bits"):
        compile(layer, synthetic(layer, data_bits=12), PRESETS["paper"])
