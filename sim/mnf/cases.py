"""Random lane maps with events that belong to them, for the benches of a PE's blocks."""
from dataclasses import replace

import numpy as np
from amaranth import Shape
from amaranth.lib import data

from golden.mnf.events import Event, Pixels, generate
from golden.mnf.geometry import Axis, Geometry
from golden.mnf.lanes import LaneMap, smallest_pitch


def random_lanes(cfg, r):
    """(lane map, geometry, channels, band): a kernel, a plane and a band that the PE can hold."""
    while True:
        stride = r.choice([1, 1, 2, 4])
        rows, cols = (Axis(r.randint(1, r.choice([3, 5, cfg.max_kernel])), stride,
                           r.randint(0, 2), r.randint(1, 14)) for _ in range(2))
        channels = r.randint(1, 5)
        geometry = Geometry(rows, cols, channels)
        pr, pc = r.randint(1, cfg.max_window), r.randint(1, cfg.max_window)
        if pr * pc > cfg.lanes:
            continue
        first = r.randrange(rows.out)
        band = first, r.randint(first + 1, rows.out)
        pitch = smallest_pitch(cols.out, pr, pc)
        one = LaneMap(pr=pr, pc=pc, kl=r.randint(1, cfg.lanes // (pr * pc)), pitch=pitch,
                      taps=geometry.taps, stretch=-(-(band[1] - band[0]) * pitch // (pr * pc)))
        most = min(cfg.acc_entries // one.stretch,
                   cfg.weight_words // (one.words * channels * geometry.phases))
        if most:
            return replace(one, groups=r.randint(1, min(most, 3))), geometry, channels, band


def random_events(cfg, r, lanes, geometry, channels, band, count):
    """Events of pixels at random places; neighbours and repetitions among them."""
    low, high = -(1 << cfg.data_bits - 1), (1 << cfg.data_bits - 1) - 1
    events = []
    while len(events) < count:
        walk, y, x = [], 0, 0
        for _ in range(200):
            if r.random() < 0.4:
                # Padding too: an output may read nothing else.
                y, x = (r.randrange(-axis.pad, axis.out * axis.stride + axis.kernel - axis.pad)
                        for axis in (geometry.rows, geometry.cols))
            elif r.random() < 0.7:
                x += 1
            value = r.choice([low, high, r.randint(low, high)])
            walk.append((value, r.randrange(channels), y, x))
        pixels = Pixels(*np.array(walk).T)
        events += [Event(*row) for row in generate(pixels, geometry, band, lanes.pitch).tolist()]
    return events[:count]


def packer(layout):
    """Values of a layout, nested dicts and lists, as an integer; what is not given is 0."""
    def pack(shape, value):
        if not isinstance(shape, data.Layout):
            return int(value) & (1 << Shape.cast(shape).width) - 1
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return sum(pack(shape[key].shape, item) << shape[key].offset for key, item in items)
    return lambda fields: pack(layout, fields)
