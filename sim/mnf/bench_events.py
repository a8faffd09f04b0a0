"""Bench of EventGenerator: the events of random pixels for random targets."""
import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.mnf.events import FIELDS, Pixels, Target, generate_all
from golden.mnf.geometry import Axis, Geometry
from golden.mnf.settings import generator_setting
from hw.mnf.layouts import generated_layout, generator_layout, pixel_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.mnf.cases import packer


def random_geometry(cfg, r):
    """Kernels that leave phases without taps, strides beyond the kernel, padding, any plane."""
    stride = r.choice([1, 1, 1, 2, 2, 3, 4, (1 << cfg.tap_bits) - 1])
    most = (1 << cfg.coord_bits) - 1
    axes = []
    for _ in range(2):
        kernel, pad = r.randint(1, cfg.max_kernel), r.randint(0, 5)
        out = r.choice([1, 2, r.randint(1, 40), max(1, (most - kernel) // stride)])
        axes.append(Axis(kernel, stride, pad, out))
    return Geometry(*axes, channels=r.randint(1, 6))


def random_targets(cfg, r, geometry):
    """Bands that overlap, touch or leave rows out; parts of the channels."""
    targets = []
    for _ in range(r.randint(1, cfg.pes)):
        first = r.choice([0, r.randrange(geometry.rows.out)])
        channel = r.choice([0, r.randrange(geometry.channels)])
        targets.append(Target(r.randint(1, (1 << cfg.nodes) - 1),
                              (first, r.randint(first + 1, geometry.rows.out)),
                              (channel, r.randint(channel + 1, geometry.channels))))
    return targets


def random_pixels(cfg, r, geometry, count):
    """Most of them where outputs are, some anywhere."""
    low, high, most = -(1 << cfg.data_bits - 1), (1 << cfg.data_bits - 1) - 1, 1 << cfg.coord_bits
    rows = []
    for _ in range(count):
        at = [min(most - 1, r.randrange(most if r.random() < 0.1
                                        else axis.out * axis.stride + axis.kernel))
              for axis in (geometry.rows, geometry.cols)]
        rows.append((r.choice([low, high, r.randint(low, high)]), r.randrange(geometry.channels),
                     *at))
    return Pixels(*np.array(rows).T)


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def events_are_golden_s(dut, p_stall):
    """Without stalls: an event per cycle, and a cycle for a pixel without one."""
    cfg, r = bench_config(), rng(p_stall)
    pack, layout = packer(pixel_layout(cfg)), generated_layout(cfg)
    await start(dut)
    some = 0
    for _ in range(20):
        geometry = random_geometry(cfg, r)
        targets = random_targets(cfg, r, geometry)
        pitch = r.randint(geometry.cols.out, 2 * geometry.cols.out)
        pixels = random_pixels(cfg, r, geometry, 40)
        dests, rows = generate_all(pixels, geometry, targets, pitch)
        dut.setting.value = packer(generator_layout(cfg))(
            generator_setting(geometry, targets, pitch, cfg))
        words = [pack(dict(zip(("value", "channel", "y", "x"), map(int, pixel), strict=True)))
                 for pixel in zip(pixels.value, pixels.channel, pixels.y, pixels.x, strict=True)]
        sender = cocotb.start_soon(send(dut, "i", words, r, p_stall))
        got, cycles = await recv(dut, "o", len(rows), r, p_stall)
        await sender
        for word, dest, row in zip(map(layout.from_bits, got), dests, rows.tolist(), strict=True):
            fields = dict(zip(FIELDS, row, strict=True))
            fields["neuron"] %= 1 << cfg.neuron_bits
            found = {name: getattr(word.event, name) for name in FIELDS}
            assert (word.dest, found) == (dest, fields), (geometry, targets)
        if len(rows) and not p_stall:
            assert cycles == until_last(pixels, geometry, targets, pitch) + 5
        for _ in range(50):
            await RisingEdge(dut.clk)
        assert int(dut.idle.value) and not int(dut.o__valid.value)
        some += len(rows)
    assert some > 200


def until_last(pixels, geometry, targets, pitch):
    """Cycles at full rate until the last event: max(1, events) per pixel."""
    total = last = 0
    for n in range(len(pixels)):
        one = Pixels(*(part[n:n + 1] for part in (pixels.value, pixels.channel, pixels.y,
                                                  pixels.x)))
        count = len(generate_all(one, geometry, targets, pitch)[0])
        total += max(1, count)
        last = total if count else last
    return last
