"""Bench of Store: every output in every cycle, beside golden, over random passes."""
import cocotb

from golden.layers import Pool
from golden.s2engine.store import Store
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, reset, rng, start
from sim.common.lockstep import lockstep
from sim.s2engine.bench_loader import packed
from sim.s2engine.flows import random_values


def random_pass(random, config):
    """A descriptor's fields, those that the store reads; small enough for its buffer."""
    while True:
        line, rows = random.randint(1, 6), random.randint(1, 6)
        pool = None if random.random() < 0.3 else Pool(
            kind=random.choice(["max", "avg"]), k=random.randint(1, 4), s=random.randint(1, 4))
        if pool:
            pool = Pool(kind=pool.kind, k=pool.k, s=pool.s, pad=random.randint(0, pool.k - 1),
                        ceil_mode=pool.kind == "max" and random.random() < 0.5)
        try:
            pooled = [pool.size(n) if pool else n for n in (rows, line)]
        except ValueError:              # the window is larger than the plane
            continue
        kernels = random.randint(1, 3 * config.group)
        groups = -(-kernels // config.group)
        if not pool or pool.k * line * groups <= config.pool_groups:
            break
    tiles = -(-line * rows // random.randint(1, config.rows))
    fields = {
        "tiles": tiles, "tile_pixels": line * rows // tiles, "tile_more": line * rows % tiles,
        "line_pixels": line, "out_rows": rows, "kernels": kernels, "pooled_rows": pooled[0],
        "pooled_cols": pooled[1], "store_slots": 1 + config.mixed * random.getrandbits(1),
        "store_addr": random.getrandbits(24), "store_group_lines": random.getrandbits(12),
        "store_row_lines": random.getrandbits(8),
        "pool": 0, "pool_k": 0, "pool_stride": 0, "pool_pad": 0}
    if pool:
        fields |= {"pool": 1 + (pool.kind == "avg"), "pool_k": pool.k, "pool_stride": pool.s,
                   "pool_pad": pool.pad, "pool_area": pool.k ** 2, "pool_cells": pool.k * line,
                   "pool_step": pool.s % pool.k * line, "pool_first": -pool.pad % pool.k * line}
    return fields


def random_group(random, config, fields):
    """A group as its port's word: of 8-bit values where it has one line."""
    wide = random.choice([0, 0.3, 1]) if fields["store_slots"] == 2 else 0
    values = random_values(random, config.group, random.choice([0, 0.3, 0.8, 1]), wide)
    return sum((v & (1 << config.data_bits) - 1) << n * config.data_bits
               for n, v in enumerate(values))


@cocotb.test()
@cocotb.parametrize(stalls=[(0.0,), (0.0, 0.3, 0.7)])
async def lockstep_with_golden(dut, stalls):
    config, random = bench_config(S2Config), rng(str(stalls))
    kinds, whole = set(), 0
    await start(dut)
    for _ in range(16):
        fields = random_pass(random, config)
        dut.layer.value, dut.start.value, dut.written.value = packed(fields), 0, 0
        await reset(dut)
        model, begin, answered = Store(fields, config), iter([0, 1]), 0

        def written(rand, model=model):
            nonlocal answered
            now = answered < model.regions and rand.random() < 0.1
            answered += now
            return int(now)
        words = {name: lambda r, f=fields: random_group(r, config, f) for name in model.inputs}
        await lockstep(dut, model, 900, random, words, stalls=stalls, p_reset=0, controls={
            "start": lambda r, b=begin: next(b, 0), "written": written})
        whole += model.s[0] == 0 and not model.lines
        kinds.add((fields["pool"], fields["store_slots"]))
    assert len(kinds) > 2 and whole > 3, (kinds, whole)
