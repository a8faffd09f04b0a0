"""Nothing that goes wrong leaves garbage: an error code, an idle machine, a good next run."""

import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from golden.layers import Layer
from golden.tnpu.assemble import instruction_beats, queue_bytes, read_queue
from golden.tnpu.network import Network, Parameters
from hw.common.axi.errors import ErrorCode
from hw.tnpu.config import PRESETS
from hw.tnpu.engine import TNPUError
from hw.tnpu.instruction import Opcode
from sim.common.design import job
from sim.tnpu.run import outputs
from tests.common.harness import Faults, same
from tests.tnpu.design import TNPU, Task, golden
from tests.tnpu.test_compile import NETWORKS, batch_of

CONFIG = PRESETS["tiny"]
NETWORK = Network((Layer.fc("a", 5, 3, bias=True, relu=True), Layer.fc("b", 3, 2, bias=True)))
CORRUPTED = 200
IDLE_WITHIN = 100_000       # cycles: the run's, the watchdog's 65,536, and what comes after


@pytest.fixture(scope="module")
def faults():
    build = TNPU.rtl.build(CONFIG, "verilator")
    return Faults(TNPU, build, CONFIG, [Task(NETWORK)], [batch_of(NETWORK, 2)],
                  idle_within=IDLE_WITHIN)


def whole(faults):
    return np.frombuffer(faults.segment.image, np.uint8)


def tensors(program, memory):
    """The batch that lies in memory."""
    memory = memory[program.base:program.end]
    both = [np.stack([program.tensor(memory, name, n) for n in range(program.batch)])
            for name in ("input", "target")]
    return Parameters(*(list(map(np.copy, values)) for values in (
        program.parameters(memory).weights, program.parameters(memory).biases,
        program.parameters(memory).weight_velocities,
        program.parameters(memory).bias_velocities))), *both


def queues(faults):
    """First byte and end of each unit's instructions."""
    program = faults.program.program
    size = instruction_beats(CONFIG.memory_bits) * CONFIG.word_bytes
    return {unit: (program.queue_at[unit], program.queue_at[unit] + size * program.count(unit))
            for unit in "cf"}


def test_corrupted_words_of_the_program(faults):
    """A random word of descriptor or queues: an error, and the next run is good."""
    rnd, jobs = random.Random(1), []
    at = faults.segment.desc_addr
    ranges = [(at, at + 40), *(part for part in queues(faults).values())]
    words = [w for first, end in ranges for w in range(first, end, 8)]
    for _ in range(CORRUPTED // 2):
        image = bytearray(faults.segment.image)
        where = rnd.choice(words)
        image[where:where + 8] = rnd.randbytes(8)
        jobs += [replace(faults.clean, image=bytes(image), reset=False),
                 replace(faults.clean, reset=False)]
    results = faults.run(jobs)
    for bad, after in zip(results[::2], results[1::2], strict=True):
        assert bad.finished
        assert bad.registers["ERROR"] in (ErrorCode.DESCRIPTOR_CRC, ErrorCode.LINE_CRC)
        faults.good(after)


def test_corrupted_words_of_the_tensors(faults):
    """Tensors are bare floats: another word is another batch, and is trained as golden does."""
    rnd, program, jobs, expected = random.Random(2), faults.program.program, [], []
    regions = [program.regions[name] for name in ("input", "target", "w0", "b1", "vw1")]
    for _ in range(CORRUPTED // 2):
        region = rnd.choice(regions)
        image = bytearray(faults.segment.image)
        where = region.base + rnd.randrange(region.shape.values // 2) * 8
        image[where:where + 8] = rnd.randbytes(8)
        jobs.append(replace(faults.clean, image=bytes(image), reset=False))
        with np.errstate(all="ignore"):
            given = tensors(program, np.frombuffer(bytes(image), np.uint8))
            expected.append(golden([Task(NETWORK)], [given], CONFIG)[0].outputs)
    for result, wanted in zip(faults.run(jobs), expected, strict=True):
        assert result.finished
        assert result.registers["ERROR"] == 0
        assert same(outputs([result.memory], faults.program, 0), wanted)


@pytest.mark.parametrize("region", ["input", "w0", "gw0"])
def test_bus_errors(faults, region):
    kind = "write" if region == "gw0" else "read"
    faults.bus_error(kind, faults.program.program.regions[region].base)


def test_bus_error_in_the_queue(faults):
    faults.bus_error("read", faults.program.program.queue_at["f"])


@pytest.mark.parametrize("at", [3, 90, 400, 3000, 7000])
@pytest.mark.parametrize("how", ["stopped", "reset"])
def test_stop_and_reset_in_mid_batch(faults, how, at):
    getattr(faults, how)(at)


def instructions(faults, unit="f"):
    first, end = queues(faults)[unit]
    return read_queue(whole(faults)[first:end].copy(), CONFIG.memory_bits)


def with_queue(faults, words, unit="f"):
    """The image with other instructions, their CRCs right."""
    first, end = queues(faults)[unit]
    image = bytearray(faults.segment.image)
    image[first:end] = queue_bytes(words, CONFIG.memory_bits).tobytes()
    return bytes(image)


def changed(faults, n, **fields):
    """The image with other fields in one instruction of PU-f."""
    words = instructions(faults)
    words[n] |= fields
    return with_queue(faults, words)


def nth(faults, opcodes):
    """The first instruction of PU-f with one of these opcodes."""
    return next(n for n, word in enumerate(instructions(faults)) if word["opcode"] in opcodes)


COMPUTE = tuple(set(Opcode) - {Opcode.LOAD, Opcode.STORE})
NONSENSE = [
    (COMPUTE, {"opcode": 9}, TNPUError.OPCODE),
    (COMPUTE, {"count3": 0}, TNPUError.OPCODE),
    (COMPUTE, {"signal": 1 << 31}, TNPUError.OPCODE),           # `tiny` has 24 semaphores
    ((Opcode.LOAD,), {"beats": 0}, TNPUError.OPCODE),
    ((Opcode.STORE,), {"buffer": 0}, TNPUError.OPCODE),
    ((Opcode.LOAD,), {"word": 60_000}, TNPUError.RANGE),
    ((Opcode.LOCAL, Opcode.VECTOR), {"w": 60_000}, TNPUError.RANGE),
    ((Opcode.LOAD,), {"address": 1 << 30}, ErrorCode.READ_WINDOW),
    ((Opcode.STORE,), {"address": 1 << 30}, ErrorCode.WRITE_WINDOW),
    ((Opcode.LOAD,), {"address": 4}, ErrorCode.READ_MISALIGNED),
]


@pytest.mark.parametrize(("opcodes", "fields", "code"), NONSENSE)
def test_nonsense(faults, opcodes, fields, code):
    """A good CRC over an instruction that the machine cannot run."""
    faults.disturbed(code, image=changed(faults, nth(faults, opcodes), **fields))


def test_a_wait_that_nothing_signals(faults):
    image = changed(faults, nth(faults, COMPUTE), wait=1 << 23)
    bad = faults.disturbed(ErrorCode.WATCHDOG, image=image)
    assert bad.cycles < IDLE_WITHIN


def test_too_many_tokens(faults):
    """Every instruction gives one more token that nobody takes: the 256th is one too many."""
    program = TNPU.compile([Task(NETWORKS["fc"])], [batch_of(NETWORKS["fc"], 4)], CONFIG)
    longer = SimpleNamespace(program=program, segment=program.segments[0])
    words = [word | {"signal": word["signal"] | 1 << 22} for word in instructions(longer)]
    assert len(words) > 255
    clean = job(longer.segment, max_cycles=IDLE_WITHIN)
    bad, after = faults.run([replace(clean, image=with_queue(longer, words)),
                             replace(faults.clean, reset=False)])
    assert bad.registers["ERROR"] == TNPUError.TOKENS
    faults.good(after)


def test_computing_and_dma_at_the_same_bank(faults):
    """All sums go to S0, while DMA still uses both banks in turn."""
    words = [word | {"bank": 0} for word in instructions(faults)]
    faults.disturbed(TNPUError.BANK, image=with_queue(faults, words))


def test_phases_out_of_order(faults):
    """The update before what it waits for: nothing can go on, and the watchdog says so."""
    words = instructions(faults)
    blocks, at = [], 0
    for piece in faults.program.program.queues["f"]:
        blocks.append(words[at:at + len(piece.instructions)])
        at += len(piece.instructions)
    start, *others = blocks
    mixed = [word for block in (*reversed(others), start) for word in block]
    faults.disturbed(ErrorCode.WATCHDOG, image=with_queue(faults, mixed))
