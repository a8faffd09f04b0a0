"""Nothing that goes wrong leaves garbage: an error code, an idle machine, a good next run."""

import zlib
from dataclasses import replace

import pytest

from golden.layers import Layer, Pool
from golden.scnn.compile import compile
from golden.scnn.layout import descriptor_bytes, pack_descriptor, unpack_descriptor
from golden.tensors import synthetic
from hw.common.axi.errors import ErrorCode
from hw.scnn.config import PRESETS
from hw.scnn.engine import SCNNError
from sim.common.design import job
from tests.common.harness import Faults
from tests.scnn.design import SCNN

CONFIG = PRESETS["tiny"]
CORRUPTED = 200
IDLE_WITHIN = 70_000    # cycles: the watchdog's 65,536 and what comes before and after


def sample(seed=3, **fields):
    """A small layer with halos, pooling, several groups; its tensors."""
    layer = Layer(**{"c": 4, "h": 7, "w": 8, "k": 5, "r": 3, "s": 3, "pad": 1, "relu": True,
                     "shift": 2, "out_bits": 8, "bias": True,
                     "pool": Pool(kind="max", k=2, s=2)} | fields)
    return [layer], [synthetic(layer, weight_density=0.5, activation_density=0.6, seed=seed,
                               data_bits=8, acc_bits=20)]


@pytest.fixture(scope="module")
def faults():
    build = SCNN.rtl.build(CONFIG, "verilator")      # 500 runs: minutes in Icarus
    return Faults(SCNN, build, CONFIG, *sample(), idle_within=IDLE_WITHIN)


def test_corrupted_words(faults):
    # The rest lay in the region that is written.
    assert faults.corrupted_words(CORRUPTED) > CORRUPTED // 4


def descriptor(faults):
    return faults.program.passes[0].descriptor


@pytest.mark.parametrize("section", ["load", "weight", "store"])
def test_bus_errors(faults, section):
    faults.bus_error("write" if section == "store" else "read",
                     descriptor(faults)[f"{section}_addr"])


def test_bus_error_in_the_descriptor(faults):
    faults.bus_error("read", faults.program.desc_addr)


@pytest.mark.parametrize("at", [3, 90, 200, 400, 700])
@pytest.mark.parametrize("how", ["stopped", "reset"])
def test_stop_and_reset_in_mid_layer(faults, how, at):
    getattr(faults, how)(at)


def test_window_too_small(faults):
    faults.window_ends_at(descriptor(faults)["store_addr"])


NONSENSE = {"kc": 0, "groups": 0, "window_sums": 0, "kernel_rows": 99, "out_bits": 1, "pool": 3,
            "next_stride": 0, "pool_kernel": 0, "weight_lines": 0, "out_channels": 9999}


@pytest.mark.parametrize("field", NONSENSE)
def test_descriptor_nonsense(faults, field):
    """A descriptor that contradicts itself under a good CRC."""
    image = changed(faults.program, **{field: NONSENSE[field]})
    faults.disturbed(ErrorCode.BAD_DESCRIPTOR, image=image)


def changed(program, **fields):
    """The image with other values in its first descriptor, CRC renewed."""
    at, size = program.desc_addr, descriptor_bytes(CONFIG)
    values = unpack_descriptor(program.image[at:at + size], CONFIG) | fields
    packed = pack_descriptor(values, CONFIG)
    return program.image[:at] + packed + program.image[at + len(packed):]


def test_activation_outside_the_window(faults):
    """A window of one sum: every address but the first is beyond it."""
    faults.disturbed(SCNNError.RANGE, image=changed(faults.program, window_sums=1))


@pytest.mark.parametrize("lines", [-1, 1])
def test_wrong_number_of_weight_lines(faults, lines):
    """One line fewer than the groups need, or one more."""
    count = descriptor(faults)["weight_lines"] + lines
    faults.disturbed((SCNNError.STREAM, ErrorCode.LINE_CRC, ErrorCode.BAD_DESCRIPTOR),
                     image=changed(faults.program, weight_lines=count))


def test_lines_of_another_section(faults):
    """The load section where the weights should be."""
    load = descriptor(faults)
    faults.disturbed(SCNNError.STREAM, image=changed(
        faults.program, weight_addr=load["load_addr"], weight_lines=load["load_lines"]))


ROOMY = replace(CONFIG, ram_elements=4 * CONFIG.ram_elements)


@pytest.mark.parametrize("fields,code", [
    ({"c": 24, "k": 2, "pool": None}, SCNNError.INPUT_OVERFLOW),
    ({"c": 1, "k": 40, "pool": None, "relu": False, "shift": 0}, SCNNError.OARAM_OVERFLOW),
])
def test_ram_overflow(faults, fields, code):
    """A program for larger RAMs: what inputs denser than expected do at run time."""
    program = compile(*sample(h=9, w=18, **fields), ROOMY)
    bad, after = faults.run([job(program.segments[0], max_cycles=IDLE_WITHIN),
                             replace(faults.clean, reset=False)])
    assert bad.registers["ERROR"] == code
    faults.good(after)


def test_crc_is_that_of_zlib(faults):
    """The images above are good: a descriptor ends with zlib's CRC-32 of what stands before."""
    program, size = faults.program, descriptor_bytes(CONFIG)
    words = program.image[program.desc_addr:program.desc_addr + size].rstrip(b"\0")
    assert any(zlib.crc32(words[:n]) == int.from_bytes(words[n:n + 4], "little")
               for n in range(0, len(words) + 4, 4))
