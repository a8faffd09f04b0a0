"""Whole programs on a Top: image in, memory, registers and cycles out."""

import random

import numpy as np
import pytest

from hw.emit import emit
from sim.common.program import Job, build_program, run_programs
from sim.common.runner import SIMULATORS, BenchFailed
from tests.common.copier import Copier

BEAT = 8


def built(simulator, **options):
    return build_program(emit(Copier(**options), "copier"), simulator=simulator,
                         memory_bytes=1 << 16)


def job(image, source, target, count, **options):
    writes = (("SOURCE", source), ("TARGET", target), ("COUNT", count), ("GO", 1))
    return Job(image=image, writes=writes, max_cycles=20_000, **options)


def expected(image, source, target, count):
    memory = bytearray(image)
    moved = bytes(255 - b for b in memory[source:source + count * BEAT])
    memory[target:target + len(moved)] = moved
    return bytes(memory)


def cycles(count, latency):
    """Start and end seen, and per beat: 6 states and the two latencies' waits."""
    return 2 + count * (6 + 2 * (latency - 1))


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_many_jobs_in_one_process(simulator):
    rng = random.Random(1)
    jobs, wanted = [], []
    for n in range(20):
        image, count, latency = rng.randbytes(64 * BEAT), rng.randrange(20), rng.randrange(1, 30)
        stalls = {"ar": .5, "r": .3, "aw": .2, "w": .6, "b": .4, "seed": n} if n % 2 else None
        jobs.append(job(image, 0, 32 * BEAT, count, latency=latency, stalls=stalls,
                        reset=bool(n % 3)))
        wanted.append((expected(image, 0, 32 * BEAT, count), count, latency))
    results = run_programs(built(simulator), jobs)
    for n, (result, (memory, count, latency)) in enumerate(zip(results, wanted, strict=True)):
        assert result.memory == memory
        assert result.finished
        assert result.registers == {"SOURCE": 0, "TARGET": 32 * BEAT, "COUNT": count,
                                    "MOVED": count}
        assert result.written == ((32 * BEAT, (32 + count) * BEAT) if count else None)
        if n % 2 == 0 and (n == 0 or n % 3):
            assert result.read_beats == result.write_beats == count
            assert result.cycles == cycles(count, latency)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_array_image_and_errors(simulator):
    image = np.arange(33, dtype=np.uint16)    # 66 bytes: padded to 72
    result, = run_programs(built(simulator), [job(image, 0, 64, 2, latency=1)])
    # The second beat lies beyond the memory: not written.
    assert result.memory == expected(image.tobytes() + bytes(6), 0, 64, 1)
    assert len(result.memory) == 72
    result, = run_programs(built(simulator), [job(bytes(72), 0, 64, 1, fault=("both", 67))])
    assert result.memory == bytes(72)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_no_irq(simulator):
    endless = Job(image=bytes(64), writes=(("COUNT", 99), ("GO", 1)), max_cycles=200)
    with pytest.raises(BenchFailed, match="no irq within 200 cycles"):
        run_programs(built(simulator), [endless])
    result, = run_programs(built(simulator), [endless], check=False)
    assert not result.finished


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_reset_in_mid_run_then_a_good_run(simulator):
    image = bytes(range(128))
    broken = job(image, 0, 64, 8, latency=9, events=((50, "reset"),))
    results = run_programs(built(simulator), [broken, job(image, 0, 64, 8, reset=False)])
    assert not results[0].finished
    assert results[1].memory == expected(image, 0, 64, 8)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_write_in_mid_run(simulator):
    result, = run_programs(built(simulator), [
        job(bytes(128), 0, 64, 8, events=((300, "COUNT", 3),))])
    assert result.registers["MOVED"] == 3


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_broken_rule(simulator):
    image = bytes(128)
    with pytest.raises(BenchFailed, match="valid dropped before ready"):
        run_programs(built(simulator, hold=False), [
            job(image, 0, 64, 8, stalls={"aw": 0.9})])


def test_image_too_large():
    with pytest.raises(ValueError, match="70000 bytes, but the memory was built for 65536"):
        run_programs(built("icarus"), [job(bytes(70000), 0, 8, 1)])
