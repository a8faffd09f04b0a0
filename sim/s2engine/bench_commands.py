"""Bench of Commands: every row's commands are golden's, in order, and at the promised rate."""
import cocotb
from cocotb.triggers import RisingEdge

from golden.s2engine import ce
from hw.common.stationary.commands import COMMAND_FIELDS
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, pulse, reset, rng, start


def random_pass(random, config):
    """A pass: its descriptor's fields, and per row its commands."""
    line = random.randint(1, 2 * config.rows + 1)
    size, tiles = random.randint(1, config.rows), random.randint(1, 3)
    more = random.randint(0, tiles - 1) if size < config.rows else 0
    shape = random.randint(1, 2), random.randint(1, 3), random.choice([1, 2, 3, 5, 11])
    stride, kernel_tiles, reuse = random.randint(1, 4), random.randint(1, 3), random.random() < 0.7
    fields = {"tiles": tiles, "tile_pixels": size, "tile_more": more, "line_pixels": line,
              "kernel_tiles": kernel_tiles, "channel_groups": shape[0], "kernel_rows": shape[1],
              "kernel_cols": shape[2], "stride": stride, "ce": int(reuse)}
    groups, rows, pixel = ce.order(*shape, stride), [[] for _ in range(config.rows)], 0
    for tile in range(tiles):
        pixels = size + (tile < more)
        chains, left = [], pixels
        while left:
            chains.append(min(left, line - pixel % line))
            pixel, left = pixel + chains[-1], left - chains[-1]
        for row, commands in zip(rows, ce.commands(chains, config.rows, groups, stride, shape[2],
                                                   reuse), strict=True):
            row += commands * kernel_tiles
    return fields, rows


def packed(fields):
    """The fields as the word of their port."""
    word = at = 0
    for name, bits in COMMAND_FIELDS.items():
        word |= fields[name] << at
        at += bits
    return word


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.5])
async def commands_are_goldens(dut, p_stall):
    config, random = bench_config(S2Config), rng(p_stall)
    await start(dut)
    for _ in range(8):
        fields, rows = random_pass(random, config)
        dut.layer.value = packed(fields)
        await reset(dut)
        await pulse(dut.clk, dut.start)
        got, cycle = [[] for _ in rows], 1
        while got != rows:
            ready = [random.random() >= p_stall for _ in rows]
            for r, value in enumerate(ready):
                getattr(dut, f"o__{r}__ready").value = value
            await RisingEdge(dut.clk)
            for r, row in enumerate(got):
                if not int(getattr(dut, f"o__{r}__valid").value):
                    continue
                assert row or p_stall or cycle == 2 + r, f"row {r} begins in cycle {cycle}"
                if ready[r]:
                    word = int(getattr(dut, f"o__{r}__payload").value)
                    row.append(ce.Command(word & 3, word >> 2))
                    assert row == rows[r][:len(row)], f"row {r}: command {len(row) - 1}"
            cycle += 1
        await RisingEdge(dut.clk)
        assert not any(int(getattr(dut, f"o__{r}__valid").value) for r in range(len(rows)))
