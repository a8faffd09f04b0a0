"""Nothing that goes wrong leaves garbage: an error code, an idle machine, a good next run."""

import random
import zlib
from dataclasses import replace

import numpy as np
import pytest

from golden.layers import Layer, Pool
from golden.scnn import golden
from golden.scnn.compile import compile
from golden.scnn.layout import descriptor_bytes, pack_descriptor, unpack_descriptor
from golden.tensors import synthetic
from hw.common.axi.errors import ErrorCode
from hw.scnn.config import PRESETS
from hw.scnn.engine import SCNNError
from sim.common import program as host
from sim.scnn.run import Run, build_top, job

CONFIG = PRESETS["tiny"]
CORRUPTED = 200
IDLE_WITHIN = 70_000    # cycles: the watchdog's 65,536 and what comes before and after


@pytest.fixture(scope="module")
def build():
    return build_top(CONFIG, "icarus")


def sample(config=CONFIG, seed=3, **fields):
    """A small layer with halos, pooling, several groups; its program and its outputs."""
    layer = Layer(**{"c": 4, "h": 7, "w": 8, "k": 5, "r": 3, "s": 3, "pad": 1, "relu": True,
                     "shift": 2, "out_bits": 8, "bias": True,
                     "pool": Pool(kind="max", k=2, s=2)} | fields)
    tensors = synthetic(layer, weight_density=0.5, activation_density=0.6, seed=seed, data_bits=8,
                        acc_bits=20)
    program = compile(layer, tensors, config)
    return program, golden.outputs([layer], [tensors], config)[0].outputs


def run(build, jobs, **options):
    """Jobs in one simulator process; a bus rule broken fails the test in any case."""
    results = host.run_programs(build, jobs, check=False, **options)
    for result in results:
        assert result.violation == "none"
        assert result.registers["STATUS"] & 1 == 0, "still busy"
    return results


def good(program, expected, result):
    """The result of a good run: no error and the right outputs."""
    assert result.finished
    assert result.registers["ERROR"] == 0
    got = Run(program, (result,)).outputs()
    assert np.array_equal(np.stack(got).reshape(expected.shape), expected)


def nothing_elsewhere(program, image, result):
    """Only the store region may differ from the image."""
    fields = unpack_descriptor(program.image[program.desc_addr:], CONFIG)
    first = fields["store_addr"]
    last = first + fields["store_lines"] * CONFIG.line_bits // 8
    assert result.memory[:first] == image[:first]
    assert result.memory[last:len(image)] == image[last:]


def test_corrupted_words():
    """A random word of the image is wrong: an error, or the right output; then a good run."""
    build = build_top(CONFIG, "verilator")      # 400 runs: minutes in Icarus
    program, expected = sample()
    clean = job(program.segments[0], max_cycles=IDLE_WITHIN)
    rnd, jobs, images = random.Random(1), [], []
    for _ in range(CORRUPTED):
        image = bytearray(program.image)
        at = rnd.randrange(len(image) // 8) * 8
        image[at:at + 8] = rnd.randbytes(8)
        images.append(bytes(image))
        jobs += [replace(clean, image=bytes(image), reset=False), replace(clean, reset=False)]
    results = run(build, jobs)
    failed = 0
    for image, bad, after in zip(images, results[::2], results[1::2], strict=True):
        assert bad.finished, "no irq in time"
        if bad.registers["ERROR"]:
            failed += 1
        else:
            good(program, expected, bad)
        nothing_elsewhere(program, image, bad)
        good(program, expected, after)
    assert failed > CORRUPTED // 4      # the rest lay in the region that is written


FAULTS = {
    "descriptor": ("read", lambda p: p.desc_addr, ErrorCode.READ_SLVERR),
    "load": ("read", lambda p: p.passes[0].descriptor["load_addr"], ErrorCode.READ_SLVERR),
    "weights": ("read", lambda p: p.passes[0].descriptor["weight_addr"], ErrorCode.READ_SLVERR),
    "store": ("write", lambda p: p.passes[0].descriptor["store_addr"], ErrorCode.WRITE_SLVERR),
}


@pytest.mark.parametrize("where", FAULTS)
def test_bus_errors(build, where):
    program, expected = sample()
    kind, address, code = FAULTS[where]
    clean = job(program.segments[0], max_cycles=IDLE_WITHIN)
    bad, after = run(build, [replace(clean, fault=(kind, address(program))),
                             replace(clean, reset=False)])
    assert bad.registers["ERROR"] == code
    nothing_elsewhere(program, program.image, bad)
    good(program, expected, after)


@pytest.mark.parametrize("at", [3, 90, 200, 400, 700])
@pytest.mark.parametrize("how", ["stop", "reset"])
def test_stop_and_reset_in_mid_layer(build, how, at):
    program, expected = sample()
    clean = job(program.segments[0], max_cycles=IDLE_WITHIN)
    event = (at, "CONTROL", 2) if how == "stop" else (at, "reset")
    bad, after = run(build, [replace(clean, events=(event,)), replace(clean, reset=False)])
    if how == "stop":
        assert bad.registers["ERROR"] == ErrorCode.STOPPED
    nothing_elsewhere(program, program.image, bad)
    good(program, expected, after)


def test_window_too_small(build):
    program, _ = sample()
    clean = job(program.segments[0], max_cycles=IDLE_WITHIN)
    size = program.passes[0].descriptor["store_addr"]
    writes = tuple((n, size if n == "WINDOW_SIZE_LO" else v) for n, v in clean.writes)
    bad, = run(build, [replace(clean, writes=writes)])
    assert bad.registers["ERROR"] == ErrorCode.WRITE_WINDOW
    assert bad.memory[:len(program.image)] == program.image


NONSENSE = {"kc": 0, "groups": 0, "window_sums": 0, "kernel_rows": 99, "out_bits": 1, "pool": 3,
            "next_stride": 0, "pool_kernel": 0, "weight_lines": 0, "out_channels": 9999}


@pytest.mark.parametrize("field", NONSENSE)
def test_descriptor_nonsense(build, field):
    """A descriptor that contradicts itself under a good CRC."""
    program, expected = sample()
    image = changed(program, **{field: NONSENSE[field]})
    clean = job(program.segments[0], max_cycles=IDLE_WITHIN)
    bad, after = run(build, [replace(clean, image=image), replace(clean, reset=False)])
    assert bad.registers["ERROR"] == ErrorCode.BAD_DESCRIPTOR
    nothing_elsewhere(program, image, bad)
    good(program, expected, after)


def changed(program, **fields):
    """The image with other values in its first descriptor, CRC renewed."""
    at, size = program.desc_addr, descriptor_bytes(CONFIG)
    values = unpack_descriptor(program.image[at:at + size], CONFIG) | fields
    packed = pack_descriptor(values, CONFIG)
    return program.image[:at] + packed + program.image[at + len(packed):]


@pytest.mark.parametrize("lines", [-1, 1])
def test_wrong_number_of_weight_lines(build, lines):
    """One line fewer than the groups need, or one more."""
    program, expected = sample()
    count = program.passes[0].descriptor["weight_lines"] + lines
    image = changed(program, weight_lines=count)
    clean = job(program.segments[0], max_cycles=IDLE_WITHIN)
    bad, after = run(build, [replace(clean, image=image), replace(clean, reset=False)])
    assert bad.registers["ERROR"] in (SCNNError.STREAM, ErrorCode.LINE_CRC,
                                      ErrorCode.BAD_DESCRIPTOR)
    good(program, expected, after)


def test_lines_of_another_section(build):
    """The load section where the weights should be."""
    program, expected = sample()
    load = program.passes[0].descriptor
    image = changed(program, weight_addr=load["load_addr"], weight_lines=load["load_lines"])
    clean = job(program.segments[0], max_cycles=IDLE_WITHIN)
    bad, after = run(build, [replace(clean, image=image), replace(clean, reset=False)])
    assert bad.registers["ERROR"] == SCNNError.STREAM
    good(program, expected, after)


ROOMY = replace(CONFIG, ram_elements=4 * CONFIG.ram_elements)


@pytest.mark.parametrize("fields,code", [
    ({"c": 24, "k": 2, "pool": None}, SCNNError.INPUT_OVERFLOW),
    ({"c": 1, "k": 40, "pool": None, "relu": False, "shift": 0}, SCNNError.OARAM_OVERFLOW),
])
def test_ram_overflow(build, fields, code):
    """A program for larger RAMs: what inputs denser than expected do at run time."""
    program, _ = sample(ROOMY, h=9, w=18, **fields)
    small, expected = sample()
    clean = job(small.segments[0], max_cycles=IDLE_WITHIN)
    bad, after = run(build, [job(program.segments[0], max_cycles=IDLE_WITHIN),
                             replace(clean, reset=False)])
    assert bad.registers["ERROR"] == code
    good(small, expected, after)


def test_crc_is_that_of_zlib():
    """The images above are good: a descriptor ends with zlib's CRC-32 of what stands before."""
    program, _ = sample()
    size = descriptor_bytes(CONFIG)
    words = program.image[program.desc_addr:program.desc_addr + size].rstrip(b"\0")
    assert any(zlib.crc32(words[:n]) == int.from_bytes(words[n:n + 4], "little")
               for n in range(0, len(words) + 4, 4))
