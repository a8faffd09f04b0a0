"""The shell around a copying engine, in front of the bench memory."""
import random
import zlib
from functools import cache

import pytest

from hw.common.axi.errors import ErrorCode
from hw.common.axi.shell import Shell, shell_registers
from hw.emit import emit
from sim.common.mutation import plant
from sim.common.mutation_programs import surviving_programs
from sim.common.program import Job, build_program, run_programs, start_writes
from sim.common.runner import SIMULATORS, simulate
from tests.common.copy_engine import COUNTERS, DESCRIPTOR, DETAIL, CopyEngine

BITS, BEAT, SIZE, LIST = 128, 16, 1 << 15, 0x100
STALLS = {"ar": 0.3, "r": 0.4, "aw": 0.3, "w": 0.4, "b": 0.3}


def shell(watchdog=400):
    return Shell(CopyEngine(BITS), DESCRIPTOR, counters=COUNTERS, identification=0xC09, version=3,
                 addr_bits=32, data_bits=BITS, watchdog=watchdog)


@cache
def built(simulator):
    return build_program(emit(shell(), "copy_top"), simulator=simulator, memory_bytes=SIZE)


def descriptor(source, target, beats, room=None, code=0, hang=0, crc_error=0, pad=0):
    fields = {"source": source, "target": target, "beats": beats, "code": code, "hang": hang,
              "room": beats if room is None else room, "pad": pad, "crc": 0}
    body = DESCRIPTOR.const(fields).as_bits().to_bytes(DESCRIPTOR.size // 8, "little")[:-4]
    words = body + (zlib.crc32(body) ^ crc_error).to_bytes(4, "little")
    return words + bytes(-len(words) % BEAT)


def image(descriptors, seed=1):
    raw = bytearray(random.Random(seed).randbytes(SIZE))
    listed = b"".join(descriptors)
    raw[LIST:LIST + len(listed)] = listed
    return bytes(raw)


def job(descriptors, writes=(), **options):
    starts = start_writes(LIST, len(descriptors))
    return Job(image=image(descriptors), max_cycles=20_000,
               writes=(("IRQ_STATUS", 1), *writes, *starts), **options)


def copied(raw, *copies):
    raw = bytearray(raw)
    for source, target, beats in copies:
        raw[target:target + beats * BEAT] = raw[source:source + beats * BEAT]
    return bytes(raw)


GOOD = ((0x1000, 0x4000, 5), (0x1ff0, 0x4ff0, 40), (0x2230, 0x5560, 1), (0x10, 0x6f10, 97))


PADS = (0, 0x2aaaaa, 0x555555, 0x7fffff)
LISTED = [descriptor(*copy, pad=pad) for copy, pad in zip(GOOD, PADS, strict=True)]


def good(**options):
    return job(LISTED, **options)


def check_good(result):
    r = result.registers
    assert result.memory == copied(image(LISTED), *GOOD)
    assert (r["STATUS"], r["ERROR"], r["LAYER"]) == (2, 0, len(GOOD))
    assert r["CYCLES_LO"] == result.cycles and r["CYCLES_HI"] == 0
    assert r["BEATS_LO"] == sum(beats for *_, beats in GOOD)
    assert r["CYCLES_BUSY_LO"] == result.cycles - 1


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_copies(simulator):
    """Four layers, with and without stalls; CYCLES counts from start to irq."""
    jobs = [good(), good(reset=False), good(latency=3, outstanding=1, reset=False),
            *(good(reset=False, stalls={**STALLS, "seed": seed}) for seed in range(6))]
    for result in run_programs(built(simulator), jobs):
        check_good(result)
    assert result.registers["ID"] == 0xC09 and result.registers["VERSION"] == 3


def test_cycles():
    """One beat copied at latency L: each step as the docstrings of shell and DMA say."""
    latency = 30
    result, = run_programs(built("icarus"), [job([descriptor(0x1000, 0x2000, 1)], latency=latency)])
    t = 0
    seen = t + 5 + latency + 2 + 3       # AR valid, two beats: the second leaves in t + 5 + L + 2
    wait = seen + 3 + latency + 1        # command taken, AR valid 3 later, beat at data
    aw = wait + 2                        # taken, issued, AW and W valid
    done = aw + latency + 1
    assert result.cycles == done + 2
    check = run_programs(built("icarus"), [job([])])[0]
    assert check.cycles == 3 and check.registers["STATUS"] == 2


ERRORS = {
    "descriptor's CRC": (ErrorCode.DESCRIPTOR_CRC, [
        descriptor(0x1000, 0x4000, 5), descriptor(0x1000, 0x4800, 5, crc_error=1)], {}),
    "engine": (40, [descriptor(0x1000, 0x4000, 5), descriptor(0x1000, 0x4800, 5, code=40)], {}),
    "region": (ErrorCode.REGION_OVERFLOW, [descriptor(0x1000, 0x4000, 50, room=40)], {}),
    "watchdog": (ErrorCode.WATCHDOG, [descriptor(0x1000, 0x4000, 5, hang=1)], {}),
    "read DECERR": (ErrorCode.READ_DECERR, [descriptor(SIZE - 64, 0x4000, 50)], {}),
    "write DECERR": (ErrorCode.WRITE_DECERR, [descriptor(0x1000, SIZE - 64, 50)], {}),
    "read SLVERR": (ErrorCode.READ_SLVERR, [descriptor(0x1000, 0x4000, 50)],
                    {"fault": ("read", 0x1230)}),
    "write SLVERR": (ErrorCode.WRITE_SLVERR, [descriptor(0x1000, 0x4000, 50)],
                     {"fault": ("write", 0x4230)}),
    "read misaligned": (ErrorCode.READ_MISALIGNED, [descriptor(0x1008, 0x4000, 50)], {}),
    "write misaligned": (ErrorCode.WRITE_MISALIGNED, [descriptor(0x1000, 0x4001, 50)], {}),
    "read below": (ErrorCode.READ_WINDOW, [descriptor(0x70, 0x4000, 1)], {}),
    "read above": (ErrorCode.READ_WINDOW, [descriptor(0x4ff0, 0x4000, 2)], {}),
    "write above": (ErrorCode.WRITE_WINDOW, [descriptor(0x1000, 0x4f00, 17)], {}),
    "write wraps": (ErrorCode.WRITE_WINDOW, [descriptor(0x1000, 0xffff_ffe0, 17)], {}),
    "base beyond the bus": (ErrorCode.READ_WINDOW, [descriptor(0x1000, 0x4000, 5)], {}),
    "stopped": (ErrorCode.STOPPED, [descriptor(0x1000, 0x4000, 200)],
                {"events": ((170, "CONTROL", 2),)}),
    "stopped in the fetch": (ErrorCode.STOPPED, [descriptor(0x1000, 0x4000, 200)],
                             {"events": ((20, "CONTROL", 2),)}),
}
WINDOWS = {"read below": (0x80, 0x4f80), "read above": (0x80, 0x4f80),
           "write above": (0x80, 0x4f80), "write wraps": (0x80, 0x4f80),
           "base beyond the bus": (1 << 32, 0xffff_ffff)}


def window(base, size):
    return (("WINDOW_BASE_LO", base & 0xffff_ffff), ("WINDOW_BASE_HI", base >> 32),
            ("WINDOW_SIZE_LO", size & 0xffff_ffff), ("WINDOW_SIZE_HI", size >> 32))


def error_jobs(p_stall):
    """Each error, and a good run after it."""
    jobs = []
    for name, (_, descriptors, options) in ERRORS.items():
        writes = window(*WINDOWS.get(name, (0, 1 << 32)))
        stalls = {**STALLS, "seed": len(jobs)} if p_stall else None
        jobs.append(job(descriptors, writes, reset=False, stalls=stalls, **options))
        jobs.append(good(writes=window(0, SIZE), reset=False, stalls=stalls))
    return jobs


def check_errors(results):
    """Each error: its code, nothing outside the region, and the next run is good."""
    for (name, (code, descriptors, _)), bad, after in zip(
            ERRORS.items(), results[::2], results[1::2], strict=True):
        r = bad.registers
        assert (r["STATUS"], r["ERROR"]) == (6, code), name
        assert r["ERROR_INFO"] == (len(descriptors) - 1) << 16 | (DETAIL if code == 40 else 0), name
        assert r["CYCLES_LO"] == bad.cycles, name
        if bad.written:
            low, high = bad.written
            allowed = [(0x4000, 0x4000 + 200 * BEAT), (SIZE - 64, SIZE)]
            assert any(a <= low and high <= b for a, b in allowed), name
        check_good(after)


@pytest.mark.parametrize("p_stall", [0, 1], ids=["full rate", "stalls"])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_errors(simulator, p_stall):
    check_errors(run_programs(built(simulator), error_jobs(p_stall)))


def refused_jobs():
    """Descriptors of random bits, sealed by their CRC, whose data is outside the window."""
    rnd = random.Random(5)
    return [job([descriptor(rnd.randrange(SIZE, 1 << 32), rnd.randrange(SIZE, 1 << 32),
                            rnd.randrange(1, 1 << 16), rnd.randrange(1, 1 << 16),
                            rnd.getrandbits(8), 0, 0, rnd.getrandbits(23))], window(0, SIZE))
            for _ in range(24)]


def check_refused(results):
    """The DMA refuses them: every bit of a descriptor has gone through the CRC."""
    rules = {ErrorCode[f"{side}_{rule}"] for side in ("READ", "WRITE")
             for rule in ("WINDOW", "MISALIGNED")}
    for result in results:
        assert result.registers["ERROR"] in rules and result.written is None


def long_jobs():
    """Some thousand cycles, so that counters count far."""
    return [good(latency=150, outstanding=1)]


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_refused_descriptors_and_a_long_run(simulator):
    check_refused(run_programs(built(simulator), refused_jobs()))
    check_copies(run_programs(built(simulator), long_jobs()))


def stop_jobs():
    """Stops and resets all over a run, and good runs."""
    jobs = []
    for cycle in range(1, 420, 7):
        event = (cycle, "reset") if cycle % 2 else (cycle, "CONTROL", 2)
        jobs.append(good(events=(event,), latency=20, reset=False))
        if cycle % 5 == 0:
            jobs.append(good(latency=20, reset=False))
    return [*jobs, good(reset=False)]


def check_stops(results):
    stopped = 0
    for given, result in zip(stop_jobs(), results, strict=True):
        if not given.events or result.registers["STATUS"] == 2:
            if result.finished:
                check_good(result)
        elif result.finished:
            stopped += result.registers["ERROR"] == ErrorCode.STOPPED
    assert stopped > 10


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_stop_and_reset_anywhere(simulator):
    """A stop or a reset in any cycle of a run leaves a machine that runs the next one."""
    check_stops(run_programs(built(simulator), stop_jobs()))


def check_copies(results):
    for result in results:
        check_good(result)


# Mutants of the shell's own logic: registers, DMA and engine have benches of their own.
OWN = r"-cell \\?\$(?!flatten)"
STAGES = [([good(), good(reset=False, latency=3)], check_copies), (error_jobs(0), check_errors),
          (refused_jobs(), check_refused), (long_jobs(), check_copies),
          (error_jobs(1), check_errors), (stop_jobs(), check_stops)]


@pytest.mark.regress
def test_mutants_of_the_shell():
    """Those that pass are printed: proofs over the whole shell do not end (what they mostly are:
    hw/common/README.md)."""
    mutants = plant(emit(shell(), "mutants_shell"), 300, only=OWN)
    assert len(mutants.faults) == 300
    alive = surviving_programs(mutants, STAGES, memory_bytes=SIZE)
    print(f"shell: {300 - len(alive)} killed; pass all programs:",
          *(f"{n}: {mutants.faults[n - 1]}" for n in alive), sep="\n")
    assert len(alive) < 75


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("data_bits", [64, 256])
def test_against_cocotbext(simulator, data_bits):
    top = Shell(CopyEngine(data_bits), DESCRIPTOR, counters=COUNTERS, identification=1, version=1,
                addr_bits=32, data_bits=data_bits)
    registers = {r.name: r.offset for r in top.register_map}
    simulate(top, "sim.common.bench_shell", simulator=simulator,
             config={"registers": registers, "data_bits": data_bits})


def test_register_map():
    offsets = {r.name: r.offset for r in shell_registers(1, 1, COUNTERS)}
    assert offsets["ID"] == 0 and offsets["CONTROL"] == 8 and offsets["CYCLES_LO"] == 0x40
    assert [offsets[n] for n in ("BEATS_LO", "BEATS_HI", "CYCLES_BUSY_LO")] == [0x100, 0x104, 0x108]
