"""Nothing that goes wrong leaves garbage: an error code, an idle machine, a good next run."""


import numpy as np
import pytest

from golden.formats import bits, lines
from golden.layers import Layer, Pool
from golden.s2engine import layout
from golden.tensors import synthetic
from hw.common.axi.errors import ErrorCode
from hw.common.stationary.config import LINE_HEADER_BITS
from hw.common.stationary.engine import COLUMN, S2Error
from hw.s2engine.config import PRESETS
from tests.common.harness import Faults
from tests.s2engine.design import S2

CONFIG = PRESETS["tiny"]
CORRUPTED = 200
IDLE_WITHIN = 80_000    # cycles: the watchdog's 65,536 and what comes before and after


@pytest.fixture(scope="module")
def faults():
    layer = Layer(c=9, h=4, w=5, k=8, r=2, s=3, pad=1, relu=True, shift=3, out_bits=12, bias=True,
                  pool=Pool(kind="avg", k=2, s=2))
    tensors = synthetic(layer, weight_density=0.5, activation_density=0.6, seed=3, data_bits=10,
                        acc_bits=30)
    build = S2.rtl.build(CONFIG, "verilator")
    return Faults(S2, build, CONFIG, [layer], [tensors], idle_within=IDLE_WITHIN)


def descriptor(faults):
    return faults.program.passes[0].descriptor


def test_corrupted_words(faults):
    # The rest lay in the region that is written, or behind the image's end.
    assert faults.corrupted_words(CORRUPTED) > CORRUPTED // 4


@pytest.mark.parametrize("section", ["bias", "weight", "feature", "store"])
def test_bus_errors(faults, section):
    faults.bus_error("write" if section == "store" else "read",
                     descriptor(faults)[f"{section}_addr"])


def test_bus_error_in_the_descriptor(faults):
    faults.bus_error("read", faults.program.desc_addr)


@pytest.mark.parametrize("at", [3, 90, 300, 700, 1500])
@pytest.mark.parametrize("how", ["stopped", "reset"])
def test_stop_and_reset_in_mid_pass(faults, how, at):
    getattr(faults, how)(at)


def test_window_too_small(faults):
    """What is loaded stands behind what is stored."""
    faults.window_ends_at(faults.program.passes[0].stored[0], ErrorCode.READ_WINDOW)


def test_a_store_outside_of_the_window(faults):
    image = with_descriptor(faults, store_addr=len(faults.segment.image))
    faults.disturbed(ErrorCode.WRITE_WINDOW, image=image)


def with_descriptor(faults, **fields):
    """The image with other values in its descriptor, CRC renewed."""
    image, at = bytearray(faults.segment.image), faults.segment.desc_addr
    size = layout.descriptor_bytes(CONFIG)
    values = layout.unpack_descriptor(bytes(image[at:at + size])) | fields
    image[at:at + size] = layout.pack_descriptor(values, CONFIG)
    return bytes(image)


NONSENSE = {"tiles": 0, "tile_pixels": 99, "tile_more": 77, "kernels": 999, "tile_kernels": 0,
            "kernels_more": 99, "kernel_rows": 0, "stride": 0, "slots": 3, "store_slots": 1,
            "f_loads": 9, "w_replays": 0, "out_bits": 1, "pool": 3, "pool_k": 0, "pool_area": 0,
            "bias_lines": 0, "weight_lines": 0, "pixels": 1, "shift": 200, "pool_cells": 0}


@pytest.mark.parametrize("field", NONSENSE)
def test_descriptor_nonsense(faults, field):
    """A descriptor that contradicts itself under a good CRC."""
    faults.disturbed(S2Error.SHAPE, image=with_descriptor(faults, **{field: NONSENSE[field]}))


def test_windows_beyond_the_buffer(faults):
    faults.disturbed(S2Error.SHAPE, image=with_descriptor(faults, pool_cells=1000))


def with_line(faults, address, change):
    """The image with one line's bits changed by `change` (an integer to an integer), CRC
    renewed."""
    image, size = bytearray(faults.segment.image), CONFIG.line_bits // 8
    content = int.from_bytes(image[address:address + size], "little")
    content = change(content & (1 << CONFIG.line_content_bits) - 1)
    row = np.frombuffer(content.to_bytes(CONFIG.line_content_bits // 8, "little"), np.uint8)
    image[address:address + size] = lines.pack_lines(
        row[None].copy(), CONFIG.line_content_bits, CONFIG.memory_bits).tobytes()
    return bytes(image)


def tokens_at(faults, address, weights, wanted):
    """Bit of the first token of the line at `address` for which `wanted` holds, of its words."""
    size = CONFIG.line_bits // 8
    data = np.frombuffer(faults.segment.image, np.uint8)[address:address + size][None]
    width = CONFIG.weight_bits if weights else CONFIG.feature_bits
    first = LINE_HEADER_BITS if weights else 0
    count = CONFIG.weights_per_line if weights else CONFIG.group
    words = bits.get(data.copy(), first + width * np.arange(count), width)[0].tolist()
    if weights:
        words = words[:(int.from_bytes(data[0, :2].tobytes(), "little") >> 8 & 127) + 1]
    n = next((n for n in range(len(words)) if wanted(words, n)), None)
    return None if n is None else first + width * n


EOG = 8 + CONFIG.offset_bits
EOK = CONFIG.weight_bits - 1


def feature_line(faults, wanted):
    """(address, bit) of the first token of the features, in some line of a pixel, that is so."""
    d, size = descriptor(faults), CONFIG.line_bits // 8
    for n in range(d["channel_groups"] * d["group_lines"]):
        address = d["feature_addr"] + n * size
        at = tokens_at(faults, address, False, wanted)
        if at is not None:
            return address, at
    raise AssertionError("no such token")


def weight_line(faults, wanted):
    d, size = descriptor(faults), CONFIG.line_bits // 8
    for n in range(d["weight_lines"]):
        address = d["weight_addr"] + n * size
        at = tokens_at(faults, address, True, wanted)
        if at is not None:
            return address, at
    raise AssertionError("no such token")


def pair(words, n):
    """Two tokens of one group, the second one of a greater offset."""
    return n and words[n] >> 8 & 7 > words[n - 1] >> 8 & 7 and not words[n - 1] >> EOG & 1


def ends(words, n):
    return words[n] >> EOG & 1 and not any(word >> EOG & 1 for word in words[:n])


def wrong(result, code, columns):
    """The error names a row, or a column."""
    assert result.registers["ERROR"] == code
    assert (result.registers["ERROR_INFO"] & 0xFFFF >= COLUMN) == columns


@pytest.mark.parametrize("weights", [False, True])
def test_offsets_out_of_order(faults, weights):
    address, at = (weight_line if weights else feature_line)(faults, pair)
    image = with_line(faults, address, lambda word: word & ~(7 << at + 8))     # to offset 0
    wrong(faults.disturbed(S2Error.ORDER, image=image), S2Error.ORDER, weights)


def test_an_offset_beyond_the_group(faults):
    address, at = feature_line(faults, lambda words, n: words[n] & 0xFF)
    image = with_line(faults, address, lambda word: word | 7 << at + 8)
    wrong(faults.disturbed(S2Error.ORDER, image=image), S2Error.ORDER, False)


def test_a_placeholder_beside_other_tokens(faults):
    address, at = feature_line(faults, lambda words, n: n and not words[n] >> EOG + 1 & 1 and pair(
        words, n))
    image = with_line(faults, address, lambda word: word & ~(0xFF << at))
    wrong(faults.disturbed(S2Error.ORDER, image=image), S2Error.ORDER, False)


def test_half_of_a_16_bit_value_alone(faults):
    address, at = feature_line(faults, lambda words, n: words[n] >> EOG + 1 & 1)
    image = with_line(faults, address, lambda word: word & ~(1 << at + EOG + 1))
    wrong(faults.disturbed(S2Error.ORDER, image=image), S2Error.ORDER, False)


def test_a_feature_group_without_an_end(faults):
    """No EOG in its lines: what stands behind it is zero, no token either."""
    address, at = feature_line(faults, ends)
    image = with_line(faults, address, lambda word: word & ~(1 << at + EOG))
    faults.disturbed((S2Error.ORDER, S2Error.GROUP), image=image)


def test_a_weight_group_without_an_end(faults):
    address, at = weight_line(faults, ends)
    image = with_line(faults, address, lambda word: word & ~(1 << at + EOG))
    faults.disturbed((S2Error.ORDER, S2Error.GROUP, S2Error.KERNEL), image=image)


@pytest.mark.parametrize("there", [False, True])
def test_an_end_of_kernel_too_many_or_too_few(faults, there):
    address, at = weight_line(faults, lambda words, n: words[n] >> EOK == there and (
        words[n] >> EOG & 1))
    image = with_line(faults, address, lambda word: word ^ 1 << at + EOK)
    wrong(faults.disturbed(S2Error.KERNEL, image=image), S2Error.KERNEL, True)


@pytest.mark.parametrize("more", [-1, 1])
def test_flows_of_other_lengths(faults, more):
    """The rows would bring more or fewer groups than the columns: seen in the descriptor; and if
    that is made to agree, in the weights."""
    d = descriptor(faults)
    many = {"channel_groups": d["channel_groups"] + more}
    faults.disturbed(S2Error.SHAPE, image=with_descriptor(faults, **many))
    groups = d["groups"] + more * d["kernel_rows"] * d["kernel_cols"]
    faults.disturbed(S2Error.KERNEL, image=with_descriptor(faults, **many, groups=groups))


def last_of_column(faults):
    """The line that ends column 0."""
    d, size = descriptor(faults), CONFIG.line_bits // 8
    for n in reversed(range(d["weight_lines"])):
        address = d["weight_addr"] + n * size
        header = int.from_bytes(faults.segment.image[address:address + 2], "little")
        if header & 0xFF == 0 and header >> 15:
            return address
    raise AssertionError("no such line")


def test_a_section_that_does_not_end(faults):
    image = with_line(faults, last_of_column(faults), lambda word: word & ~(1 << 15))
    wrong(faults.disturbed(S2Error.KERNEL, image=image), S2Error.KERNEL, True)


def test_a_flow_that_ends_in_mid_group(faults):
    """A column's last line is one token short."""
    image = with_line(faults, last_of_column(faults), lambda word: word - (1 << 8))
    faults.disturbed((S2Error.GROUP, S2Error.KERNEL, S2Error.LINE), image=image)


@pytest.mark.parametrize("header", [CONFIG.cols, CONFIG.weights_per_line << 8])
def test_a_line_for_no_column(faults, header):
    image = with_line(faults, descriptor(faults)["weight_addr"],
                      lambda word: word & ~0xFFFF | header)
    faults.disturbed(S2Error.LINE, image=image)


@pytest.mark.parametrize("lines", [-1, 1])
def test_wrong_number_of_weight_lines(faults, lines):
    """One line fewer than the kernels need, or one more: what stands behind them."""
    count = descriptor(faults)["weight_lines"] + lines
    faults.disturbed((ErrorCode.WATCHDOG, ErrorCode.LINE_CRC, S2Error.KERNEL, S2Error.LINE,
                      S2Error.ORDER), image=with_descriptor(faults, weight_lines=count))
