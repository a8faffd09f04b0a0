"""Halo exchange on a grid of PEs: every step against golden, in the promised cycles."""

import dataclasses

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge

from golden.scnn import drain
from golden.scnn.halo import exchange
from hw.scnn.layouts import HaloOp, layer_layout, tile_layout
from sim.common.bench import bench_config, rng, start

OPS = ("LEFT", "RIGHT", "UP", "DOWN", "COPY_LEFT", "COPY_UP")


def random_layer(rand, cfg, grid):
    """Tiles of a random plane, halos and a window that hold them."""
    rows = [{"size": rand.randint(0, 3)} for _ in range(grid[0])]
    cols = [{"size": rand.randint(0, 3)} for _ in range(grid[1])]
    layer = {name: rand.randint(0, 2) for name in
             ("halo_left", "halo_right", "halo_up", "halo_down", "overlap_rows", "overlap_cols")}
    window = (layer["halo_up"] + max(t["size"] for t in rows)
              + max(layer["halo_down"], layer["overlap_rows"]))
    pitch = (layer["halo_left"] + max(t["size"] for t in cols)
             + max(layer["halo_right"], layer["overlap_cols"]))
    window, pitch = max(1, window), max(1, pitch)
    kc = rand.randint(1, max(1, min(cfg.max_kc, cfg.acc_depth // (window * pitch))))
    layer |= {
        "kc": kc, "pitch": pitch, "window_rows": window, "row_stride": pitch * kc,
        "halo_left_sums": layer["halo_left"] * kc, "halo_right_sums": layer["halo_right"] * kc,
        "overlap_sums": layer["overlap_cols"] * kc,
        "origin": (layer["halo_up"] * pitch + layer["halo_left"]) * kc,
    }
    for t in rows:
        t["size_sums"] = t["size"] * layer["row_stride"]
    for t in cols:
        t["size_sums"] = t["size"] * kc
    return layer, rows, cols


def tiles_hold_overlap(layer, rows, cols):
    """What compile guarantees of copies: they come from the neighbour's own tile."""
    return (min(t["size"] for t in rows) >= layer["overlap_rows"]
            and min(t["size"] for t in cols) >= layer["overlap_cols"])


@cocotb.test()
async def exchanges_as_golden(dut):
    cfg, grid = bench_config()
    rand = rng()
    await start(dut)
    for _ in range(12):
        layer, rows, cols = random_layer(rand, cfg, grid)
        if layer["window_rows"] * layer["row_stride"] > cfg.acc_depth:
            continue
        dut.layer.value = layer_layout().const(layer).as_bits()
        for name, tiles in (("tile_rows", rows), ("tile_cols", cols)):
            words = [tile_layout().const(t).as_bits() for t in tiles]
            getattr(dut, name).value = sum(w << (96 * n) for n, w in enumerate(words))
        shape = (*grid, layer["window_rows"], layer["pitch"], layer["kc"])
        bound = 2 ** (cfg.acc_bits - 4)
        draw = np.random.default_rng(rand.randrange(2**32))
        windows = draw.integers(-bound, bound, shape)
        await set_windows(dut, cfg, windows)
        for op in rand.sample(OPS, len(OPS)):
            copies = op.startswith("COPY")
            if copies and not tiles_hold_overlap(layer, rows, cols):
                continue
            # A sum may overtake a hop (it lands in columns that are still to be sent), so only
            # the end counts: after as many hops as there are PEs everything has arrived.
            for _ in range(1 if copies else max(grid)):
                windows = exchange(op, windows, layer, rows, cols)
                cycles = await step(dut, HaloOp[op])
            halo = drain.Halo(op, 1, "LEFT" in op or "RIGHT" in op, op not in ("RIGHT", "DOWN"))
            array = dataclasses.replace(cfg, pe_rows=grid[0], pe_cols=grid[1])
            tiles = {"rows": rows, "cols": cols}
            assert cycles == drain.halo_done(halo, layer | tiles, array), op
            got = await get_windows(dut, cfg, windows.shape)
            assert np.array_equal(got, windows), (op, layer, rows, cols)


async def step(dut, op):
    dut.op.value, dut.start.value = op.value, 1
    cycles = 0
    while True:
        await RisingEdge(dut.clk)
        if cycles and int(dut.done.value):
            return cycles
        dut.start.value = 0
        cycles += 1
        assert cycles < 5000, "a halo step does not end"


async def get_windows(dut, cfg, shape):
    pes, size = shape[0] * shape[1], shape[2] * shape[3] * shape[4]
    out = np.zeros((pes, size), np.int64)
    for address in range(size):
        dut.address.value = address
        await FallingEdge(dut.clk)
        word = int(dut.sums.value)
        for n in range(pes):
            value = word >> (n * cfg.acc_bits) & (2**cfg.acc_bits - 1)
            out[n, address] = value - (value >> (cfg.acc_bits - 1) << cfg.acc_bits)
    await RisingEdge(dut.clk)
    return out.reshape(shape)


async def set_windows(dut, cfg, windows):
    """Adds what is missing to what is there; every address, so that nothing is left over."""
    flat = windows.reshape(windows.shape[0] * windows.shape[1], -1)
    size = cfg.acc_depth
    now = await get_windows(dut, cfg, (1, flat.shape[0], 1, 1, size))
    now = now.reshape(flat.shape[0], size)
    dut.write.value = 1
    for address in range(size):
        want = flat[:, address] if address < flat.shape[1] else np.zeros(len(flat), int)
        deltas = [int(v) % 2**cfg.acc_bits for v in want - now[:, address]]
        dut.address.value = address
        dut.value.value = sum(d << (n * cfg.acc_bits) for n, d in enumerate(deltas))
        await RisingEdge(dut.clk)
    dut.write.value = 0
