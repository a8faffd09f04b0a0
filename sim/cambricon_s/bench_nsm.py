"""NSM against its definition: random windows, every window of a small NSM, and its cycles."""

import itertools

import cocotb
import numpy as np

from golden.cambricon_s.nsm import Window, costs, cycles, select
from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.layouts import vector_layout, window_layout
from hw.cambricon_s.nsm import NSM
from sim.common.bench import bench_config, recv, rng, send, start


def pack(cfg, window):
    neurons = [int(v) for v in window.neurons] + [77] * (cfg.window - len(window.neurons))
    index = sum(int(bit) << n for n, bit in enumerate(window.index))
    index |= (1 << cfg.window) - (1 << len(window.neurons))     # beyond the count: not looked at
    return window_layout(cfg).const({
        "neurons": neurons, "index": index, "count": len(window.neurons), "last": window.last,
        "dense": window.dense, "dynamic": window.dynamic}).as_bits()


def random_windows(cfg, rand, segments):
    """Segments of all kinds: empty, full, dense; switches as they come."""
    gen = np.random.default_rng(rand.getrandbits(32))
    out = []
    for _ in range(segments):
        density, alive = rand.choice([0, 0.1, 0.3, 0.9, 1]), rand.choice([0, 0.2, 0.6, 1])
        dense, dynamic = rand.random() < 0.2, rand.random() < 0.8
        count, synapses = rand.randint(1, 6), 0
        for n in range(count):
            size = rand.choice([cfg.window, cfg.window, rand.randint(1, cfg.window)])
            top = 1 << (cfg.data_bits - 1)
            neurons = gen.integers(-top, top, size) * (gen.random(size) < alive)
            index = gen.random(size) < density
            synapses += size if dense else int(index.sum())
            full = synapses >= (1 << cfg.target_bits) - cfg.window
            out.append(Window(neurons, index, n == count - 1 or full, dense, dynamic))
            if full:
                break
    return out


def check(cfg, words, wanted):
    layout = vector_layout(cfg)
    for word, vector in zip(words, wanted, strict=True):
        got = layout.from_bits(word)
        assert got.count == len(vector.lanes)
        assert bool(got.last) == vector.last
        lanes = tuple((lane.neuron, lane.target) for lane in got.lanes)[:got.count]
        assert lanes == vector.lanes
        assert not vector.last or got.synapses == vector.synapses


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def selects_by_definition(dut, p_stall):
    cfg, rand = bench_config(CambriconSConfig), rng(p_stall)
    await start(dut)
    for _ in range(2):
        windows = random_windows(cfg, rand, 12)
        wanted = select(windows, cfg.tn)
        sender = cocotb.start_soon(send(dut, "i", [pack(cfg, w) for w in windows], rand, p_stall))
        words, took = await recv(dut, "o", len(wanted), rand, p_stall)
        await sender
        check(cfg, words, wanted)
        cost = costs([int(w.chosen.sum()) for w in windows], [w.last for w in windows], cfg.tn)
        assert p_stall or took == cycles(cost, NSM(cfg).stages), f"{took} cycles"


@cocotb.test()
async def every_pair_of_windows(dut):
    """With a small window: each window after each number of lanes left over, last or not."""
    cfg, rand = bench_config(CambriconSConfig), rng()
    await start(dut)
    if cfg.window > 4:
        return
    windows = []
    kinds = list(itertools.product((None, 0, 1), repeat=cfg.window))    # not connected, zero, not
    for before, kind, last in itertools.product(range(cfg.tn), kinds, (False, True)):
        ones = np.ones(cfg.window, int)
        if before:
            windows.append(Window(ones, np.arange(cfg.window) < before, False))
        neurons = np.array([rand.randint(1, 9) if k is None else k for k in kind])
        windows.append(Window(neurons, np.array([k is not None for k in kind]), last))
        if not last:
            windows.append(Window(ones, np.arange(cfg.window) < 1, True))
    wanted = select(windows, cfg.tn)
    sender = cocotb.start_soon(send(dut, "i", [pack(cfg, w) for w in windows]))
    words, _ = await recv(dut, "o", len(wanted))
    await sender
    check(cfg, words, wanted)
