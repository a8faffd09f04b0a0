"""Bench of Pool: groups of random planes, surplus rows, columns and channels among them."""
import cocotb
import numpy as np
from cocotb.triggers import ReadOnly, RisingEdge

from golden.layers import pool_plane
from hw.mnf.drain import sum_layout
from hw.mnf.fields import POOL_SHIFT
from hw.mnf.layouts import drain_layout
from sim.common.bench import bench_config, pulse, rng, start
from sim.mnf.cases import packer


def setting_of(cfg, pool, plane, kl):
    """A drain's registers for a plane [channels, rows, cols]; without a pool for none."""
    fields = {"kl": kl, "first_row": 3}
    if pool is None:
        return fields
    rows, cols = (pool.size(n) for n in plane.shape[1:])
    slots = min(-(-pool.k // pool.s), max(rows, cols))
    return fields | {
        "pool": 1 if pool.kind == "max" else 2, "pool_size": pool.k, "pool_step": pool.s,
        "pool_slots": slots, "pool_period": max(slots * pool.s, pool.k), "pool_top": pool.pad,
        "pool_left": pool.pad, "pool_rows": rows, "pool_cols": cols, "pool_area": pool.k ** 2,
        "pool_reciprocal": -(-(1 << POOL_SHIFT) // pool.k ** 2)}


def places(case, r):
    """Every word that a drain of the plane gives: (place, value), then the end."""
    pool, plane, kl = case
    channels, rows, cols = plane.shape
    hang = [pool.pad + pool.overhang(n) if pool else 0 for n in (rows, cols)]
    pitch, height = cols + hang[1] + r.randint(0, 2), rows + hang[0]
    neurons = height * pitch + r.randint(0, pitch)
    for first in range(0, channels, kl):
        for n in range(neurons):
            y, x = divmod(n, pitch)
            for kk in range(kl):
                k = first + kk
                inside = y < rows and x < cols
                real = inside and k < channels
                yield {"valid": 1, "there": k < channels, "inside": inside, "channel": k % 1000,
                       "kk": kk, "y": y, "x": x, "top": y == 0, "left": x == 0,
                       "last_kk": kk == kl - 1, "last_x": x == pitch - 1,
                       "last": kk == kl - 1 and n == neurons - 1}, (
                           int(plane[k, y, x]) if real else r.randint(-9, 99))
    yield {"valid": 1, "end": 1}, 0


def expected(case):
    """(channel, y, x, value) in the drain's order."""
    pool, plane, kl = case
    out = pool_plane(plane, pool) if pool else plane
    for first in range(0, len(out), kl):
        for y, x in np.ndindex(out.shape[1:]):
            for k in range(first, min(first + kl, len(out))):
                yield k, y + 3, x, int(out[k, y, x])


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def pools_as_golden(dut, p_stall):
    given = bench_config()
    cfg, r = given["config"], rng(p_stall)
    pack = packer(sum_layout(cfg))
    await start(dut)
    for case in given["cases"]:
        pool, plane, kl = case
        dut.setting.value = packer(drain_layout(cfg))(setting_of(cfg, pool, plane, kl))
        await pulse(dut.clk, dut.start)
        words, got, flow = list(places(case, r)), [], 0
        while not got or got[-1] is not None:
            gap = r.random() < p_stall          # nothing in this cycle; or nothing moves
            place, value = words[0] if words and not gap else ({}, 0)
            dut.i.value, dut.value.value = pack(place), value & (1 << cfg.data_bits) - 1
            dut.advance.value = moves = r.random() >= p_stall
            await ReadOnly()
            o = dut.o.value
            await RisingEdge(dut.clk)
            flow += 1
            if moves:
                if place:
                    words.pop(0)
                o = given["output"].from_bits(int(o))
                if o.valid:
                    got.append(None if o.end else (o.channel, o.y, o.x, o.value))
        assert got[:-1] == list(expected(case)), (pool, plane.shape, kl)
        dut.i.value = 0
        await RisingEdge(dut.clk)
        assert int(dut.idle.value) or p_stall
