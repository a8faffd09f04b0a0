"""PPU: random tiles, drained as golden says, in the promised cycles."""

import dataclasses

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, RisingEdge

from golden.scnn import emit
from golden.scnn.ppu import drain, encode
from hw.scnn.activation_ram import write_layout
from hw.scnn.config import SCNNConfig
from hw.scnn.layouts import layer_layout, tile_layout
from sim.common.bench import bench_config, rng, start


def random_tile(rand, cfg):
    """Descriptor fields of a random layer and PE, consistent as compile makes them."""
    pool = rand.choice([0, 0, 1, 2])
    kernel = rand.randint(1, 3) if pool else 1
    stride, following = rand.randint(1, kernel), rand.choice([1, 1, 2, 3])
    halo_up, halo_left = rand.randint(0, 2), rand.randint(0, 2)
    sides = []
    for _ in range(2):
        pooled = rand.randint(0, 4)
        pad = rand.randint(0, kernel - 1) if pool == 1 else 0
        reach = max(1, (pooled - 1) * stride + kernel - pad)
        clip = rand.randint(0, min(kernel - 1, reach - 1)) if pool == 1 and pooled else 0
        clip = min(clip, kernel - 1 - pad if pooled == 1 else kernel - 1)
        sides.append({"size": reach, "pooled": pooled, "limit": reach - clip, "pool_pad": pad,
                      "phase": rand.randrange(following)})
    row, col = sides
    pitch, rows = halo_left + col["size"], halo_up + row["size"]
    kc = max(1, min(cfg.max_kc, cfg.acc_depth // (pitch * rows)))
    kc = rand.randint(1, kc)
    phases = rand.randint(1, following), rand.randint(1, following)
    layer = {
        "relu": rand.randint(0, 1), "pool": pool, "shift": rand.randint(0, 12),
        "out_bits": rand.randint(2, cfg.data_bits), "multiplier": rand.choice([1, 1, 3, 65535]),
        "kc": kc, "pitch": pitch, "row_stride": pitch * kc,
        "origin": (halo_up * pitch + halo_left) * kc, "halo_up": halo_up, "halo_left": halo_left,
        "pool_kernel": kernel, "pool_stride": stride, "pool_area": kernel * kernel,
        "next_pitch": rand.randint(col["pooled"] // following + 2, 40), "next_stride": following,
        "next_phases_rows": phases[0], "next_phases_cols": phases[1],
        "next_phases": phases[0] * phases[1],
    }
    return layer, row, col


@cocotb.test()
async def drains_as_golden(dut):
    cfg, rand = bench_config(SCNNConfig), rng()
    await start(dut)
    for _ in range(40):
        layer, row, col = random_tile(rand, cfg)
        kc = rand.randint(1, layer["kc"])
        channel = rand.randrange(max(1, cfg.max_channels - kc * layer["next_phases"]))
        if channel + kc * layer["next_phases"] > cfg.max_channels:
            continue
        density = rand.choice([0.0, 0.2, 0.7, 1.0])
        sums = [rand.randrange(-2**(cfg.acc_bits - 1), 2**(cfg.acc_bits - 1))
                if rand.random() < density else 0 for _ in range(cfg.acc_depth)]
        bias = [0 if density < 0.5 else rand.randrange(-2**(cfg.acc_bits - 1),
                                                       2**(cfg.acc_bits - 1)) for _ in range(kc)]
        await one_group(dut, cfg, layer, row, col, kc, channel, sums, bias)


async def one_group(dut, cfg, layer, row, col, kc, channel, sums, bias):
    half = 2**(cfg.acc_bits - 1)
    expected, steps = drain(
        lambda y, x, k: sums[(y * layer["pitch"] + x) * layer["kc"] + k], bias, layer, row, col,
        kc=kc, channel=channel, wrap=lambda v: (v + half) % (2 * half) - half)
    dut.layer.value = layer_layout().const(layer).as_bits()
    dut.row.value = tile_layout().const(row).as_bits()
    dut.col.value = tile_layout().const(col).as_bits()
    await fill_biases(dut, cfg, bias)

    dut.kc.value, dut.channel.value, dut.start.value = kc, channel, 1
    writes, cycles = [], 0
    while True:
        await FallingEdge(dut.clk)
        if int(dut.fetch_enable.value):
            dut.fetch_value.value = sums[int(dut.fetch_address.value)] % (2 * half)
        write = write_layout(cfg).from_bits(int(dut.write.value))
        if write.valid:
            writes.append(write)
        await RisingEdge(dut.clk)
        if cycles and int(dut.done.value):
            break
        dut.start.value = 0
        cycles += 1
        assert cycles < 10 * steps + 1000, "the PPU does not end"

    got = {}
    rows = []
    for write in writes:
        if write.has_row:
            rows.append([(e.value, e.run) for e in write.row])
        if write.last:
            got[write.channel] = rows
            rows = []
    wanted = {c: encode(samples, cfg.index_bits, cfg.mults_i) for c, samples in expected.items()}
    assert got == wanted, (layer, row, col)
    assert rows == []
    assert cycles == emit_done(cfg, expected, layer, row, col, kc, channel), (layer, row, col)


def emit_done(cfg, samples, layer, row, col, kc, channel):
    """The cycle model's word for the same group, from which samples are zero."""
    one = dataclasses.replace(cfg, pe_rows=1, pe_cols=1)
    mask = np.zeros((kc, row["pooled"], col["pooled"]), bool)
    stride = layer["next_stride"]
    for n, values in samples.items():
        k, phase = divmod(n - channel, layer["next_phases"])
        phase_r, phase_c = divmod(phase, layer["next_phases_cols"])
        for position, value in values:
            y, x = divmod(position, layer["next_pitch"])
            mask[k, y * stride + phase_r - row["phase"],
                 x * stride + phase_c - col["phase"]] = value != 0
    descriptor = {**layer, "groups": 1, "kc": kc, "kc_last": kc, "rows": [row], "cols": [col]}
    return emit.encode(mask, descriptor, one).done[0, 0]


async def fill_biases(dut, cfg, bias):
    n = cfg.biases_per_slot
    mask = 2**cfg.acc_bits - 1
    dut.select.value = 1
    for at in range(-(-len(bias) // n)):
        word = sum((b & mask) << (i * cfg.acc_bits)
                   for i, b in enumerate(bias[at * n:(at + 1) * n]))
        rows = (-(-cfg.max_kc // n) - 1).bit_length()
        dut.bias.value = 1 | at << 1 | word << (1 + max(rows, 0))
        await RisingEdge(dut.clk)
    dut.bias.value = 0
    dut.select.value = 0
