"""Lines and descriptors as bytes, against the layouts of the hardware."""

import random
import zlib

import numpy as np
import pytest

from golden.scnn import layout
from golden.scnn.activations import empty_lines
from golden.scnn.program import BIAS, ROW, WEIGHT
from hw.scnn.config import PRESETS
from hw.scnn.descriptor import COMMON_FIELDS, TILE_FIELDS
from hw.scnn.layouts import SlotKind, descriptor_layout, element_layout, line_layout


def random_table(rng, config, count=9):
    table = empty_lines(count, config)
    half = 1 << (config.data_bits - 1)
    table.target[:] = rng.integers(0, 1 << 16, count)
    table.end_group[:], table.end_section[:] = rng.random((2, count)) < 0.5
    table.kind[:] = rng.integers(0, 4, table.kind.shape)
    table.first[:], table.last[:] = rng.random((2, *table.kind.shape)) < 0.5
    table.channel[:] = rng.integers(0, 1000, (count, 1)) + np.cumsum(
        rng.integers(0, 16, table.kind.shape), axis=1)
    coded = np.isin(table.kind, (WEIGHT, ROW))
    table.value[coded] = rng.integers(-half, half, table.value[coded].shape)
    table.run[coded] = rng.integers(0, 1 << config.index_bits, table.run[coded].shape)
    top = 1 << (config.acc_bits - 1)
    bias = rng.integers(-top, top, (int((table.kind == BIAS).sum()), config.biases_per_slot))
    return table._replace(bias=bias)


@pytest.mark.parametrize("preset", PRESETS)
def test_lines_are_those_of_the_layout(preset):
    config = PRESETS[preset]
    table = random_table(np.random.default_rng(3), config)
    packed = layout.pack(table, config)
    assert packed.shape == (table.lines, config.line_bits // 8)
    bias = iter(table.bias.tolist())
    for n, data in enumerate(packed):
        body, crc = data[:-4].tobytes(), int.from_bytes(data[-4:].tobytes(), "little")
        assert zlib.crc32(body) == crc
        word = int.from_bytes(body, "little")
        line = line_layout(config).from_bits(word & (1 << line_layout(config).size) - 1)
        assert (line.target, line.channel) == (table.target[n], table.channel[n, 0])
        assert (line.end_group, line.end_section) == (table.end_group[n], table.end_section[n])
        channel = line.channel
        for s, header in enumerate(line.headers):
            channel += header.step
            assert header.kind == SlotKind(int(table.kind[n, s]))
            assert (header.first, header.last) == (table.first[n, s], table.last[n, s])
            assert channel == table.channel[n, s]
            check_slot(config, line.slots[s], table, n, s, bias)
    assert next(bias, None) is None


def check_slot(config, slot, table, n, s, bias):
    if table.kind[n, s] == BIAS:
        mask = (1 << config.acc_bits) - 1
        assert slot == sum((b & mask) << i * config.acc_bits for i, b in enumerate(next(bias)))
        return
    for e in range(config.slot_elements):
        element = element_layout(config).from_bits(
            slot >> e * config.element_bits & (1 << config.element_bits) - 1)
        assert (element.value, element.run) == (table.value[n, s, e], table.run[n, s, e])


@pytest.mark.parametrize("preset", PRESETS)
def test_lines_come_back(preset):
    config = PRESETS[preset]
    table = random_table(np.random.default_rng(4), config)
    back = layout.unpack(layout.pack(table, config), config)
    for name in table._fields:
        if name != "position":
            assert np.array_equal(getattr(back, name), getattr(table, name)), name


def random_fields(rnd, fields):
    return {name: rnd.randrange(1 << bits) for name, bits in fields}


@pytest.mark.parametrize("preset", PRESETS)
def test_descriptors_are_those_of_the_layout(preset):
    config, rnd = PRESETS[preset], random.Random(5)
    values = random_fields(rnd, COMMON_FIELDS) | {
        "rows": [random_fields(rnd, TILE_FIELDS) for _ in range(config.pe_rows)],
        "cols": [random_fields(rnd, TILE_FIELDS) for _ in range(config.pe_cols)]}
    data = layout.pack_descriptor(values, config)
    assert len(data) % (config.memory_bits // 8) == 0
    whole = descriptor_layout(config)
    got = whole.from_bits(int.from_bytes(data, "little") & (1 << whole.size) - 1)
    assert got.crc == zlib.crc32(data[:whole.size // 8 - 4])
    assert all(getattr(got.layer, name) == values[name] for name, _ in COMMON_FIELDS)
    for side in ("rows", "cols"):
        for mine, theirs in zip(values[side], getattr(got, side), strict=True):
            assert all(getattr(theirs, name) == mine[name] for name, _ in TILE_FIELDS)
    assert layout.unpack_descriptor(data, config) == values


def test_a_field_that_is_too_small():
    config = PRESETS["tiny"]
    tiles = {"rows": [{}] * config.pe_rows, "cols": [{}] * config.pe_cols}
    with pytest.raises(ValueError, match="field halo_left has 8 bits, 256 must fit into it"):
        layout.pack_descriptor({"halo_left": 256} | tiles, config)
