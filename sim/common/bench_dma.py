"""Reader and Writer on the bench memory: every cycle as `golden.axi` says, every beat in place."""
import cocotb
from cocotb.triggers import RisingEdge

import golden.axi as timing
from hw.common.axi.errors import ErrorCode
from sim.common.bench import bench_config, rng, start
from sim.common.dma_driver import (
    ADDR_BITS,
    BEATS_BITS,
    CHANNELS,
    COMMAND,
    draw_transfers,
    golden,
    read_all,
    settings,
    write_all,
)


async def episode(dut, random, exact, **given):
    """Writes regions and reads them back; then both at once."""
    config = bench_config()
    beat = config["data_bits"] // 8
    transfers = draw_transfers(random, beat, random.randrange(1, 9))
    words = [[random.getrandbits(8 * beat) for _ in range(used)] for *_, used in transfers]
    regions = [(at, room) for at, room, _ in transfers]
    reads = [(at, used) for at, _, used in transfers]
    expected = [(word, int(i == len(region) - 1)) for region in words
                for i, word in enumerate(region)]
    p_pause = random.choice([0, 0, 0.5, 0.98])
    models = [None] * 4

    async def prepare():
        values = await settings(dut, random, beat, **given)
        if exact:
            return golden(timing.writer, config, values), golden(timing.reader, config, values)
        return None, None

    models = await prepare()
    await write_all(dut, regions, words, random, p_pause, models[0])
    _, model = await prepare()
    assert await read_all(dut, [(5, 0), *reads], random, p_pause, model) == expected
    models = await prepare()
    writing = cocotb.start_soon(write_all(dut, regions, words, random, p_pause, models[0]))
    assert len(await read_all(dut, reads, random, p_pause, models[1])) == len(expected)
    await writing
    await RisingEdge(dut.clk)
    assert int(dut.violation.value) == 0
    assert (int(dut.r_idle.value), int(dut.w_idle.value)) == (1, 1)
    assert (int(dut.r_quiet.value), int(dut.w_quiet.value)) == (1, 1)
    assert int(dut.r_error.value) == int(dut.w_error.value) == 0


def corners(config):
    """Regions (first beat, room, beats used) around the ends of pages all over the memory, up to
    its last beat, and of lengths of one bit: they see every bit of the address and of the length.
    """
    beat = config["data_bits"] // 8
    page, top = 4096 // beat, (1 << ADDR_BITS) // beat
    lengths = [*(1 << n for n in range(5, BEATS_BITS - 1)), (1 << BEATS_BITS - 1) + 900]
    regions = [(sum(lengths[:n]), length, length) for n, length in enumerate(lengths)]
    ends = [top - page * n * 5 for n in range(20)]
    for n, end in enumerate(ends):
        before, used = 1 + n % 4, 1 + n // 4            # beats of the page, beats in all
        before = max(before, used) if end == top else before
        regions.append((end - before, used, used))
    return regions


WINDOW, SMALL, AROUND = 60, 20, 20      # beats: the window, a good region at its begin, about it


def provocations(side, beat, random, low):
    """Bad commands after a good one: (code, (address, beats), settings, beats of it that pass).

    The window is the beats `low` to `low` + WINDOW.
    """
    prefix = {"r": "READ", "w": "WRITE"}[side]
    high, top = low + WINDOW, (1 << ADDR_BITS) // beat
    inner, n = random.randrange(low + SMALL, high - 25) * beat, random.randrange(2, 25)
    at = random.randrange(n)
    outside = [(low - 1, 2), (low - 9, 3), (high - 3, 4), (high, 1), (high + 8, 2), (high - 16, 17),
               (low - 32, 33), (top - 1, 2)]
    for place, beats in outside:
        if place < top:
            yield f"{prefix}_WINDOW", (place * beat, beats), {}, 0
    # A window that ends beyond the last address.
    wide = {"window": low * beat | 1 << 2 * ADDR_BITS}
    yield f"{prefix}_WINDOW", ((top - 1) * beat, 2), wide, 0
    for low_bits in (1, beat // 2):
        yield f"{prefix}_MISALIGNED", (inner + low_bits, n), {}, 0
    fault = {"fault_addr": inner + at * beat, "fault_read": 1, "fault_write": 1}
    yield f"{prefix}_SLVERR", (inner, n), fault, at
    yield f"{prefix}_DECERR", (inner, n), {"size": inner + at * beat}, at
    for beats in (1, 16, 32):
        yield None, ((high - beats) * beat, beats), {}, beats
    yield None, (low * beat, WINDOW), {}, WINDOW
    if side == "w":
        for room in (at, 8, 9, 12, 20):
            yield "REGION_OVERFLOW", (inner, room), {}, room


STILL = 60      # cycles without anything moving after which nothing will: the memory answers in 6


async def provoke(dut, side, commands, words, random, stop=None):
    """Offers everything until nothing moves any more; what the reader gave, or the lengths of the
    regions done; and how many commands and beats were not taken.

    The second command comes when the first is over: an error takes what is under way with it.
    """
    bits = bench_config()["data_bits"]
    valid, ready, payload = (getattr(dut, f"{side}_command__{n}")
                             for n in ("valid", "ready", "payload"))
    commands, words, given = list(commands), list(words), len(commands)
    out, cycle, still, last = [], 0, 0, given == 1
    while still < STILL or not last:
        if cycle == stop:
            dut.stop.value = 1
        if not last and (stop is not None or still == STILL):
            last, still = True, 0
        offered = bool(commands) and (len(commands) == given or last)
        valid.value = int(offered)
        if offered:
            address, beats = commands[0]
            payload.value = COMMAND.const({"address": address, "beats": beats}).as_bits()
        eager = random.random() < 0.8
        if side == "r":
            dut.r_data__ready.value = int(eager)
        else:
            dut.w_data__valid.value = int(bool(words))
            dut.w_data__payload.value = words[0][0] | words[0][1] << bits if words else 0
        await RisingEdge(dut.clk)
        moved = len(commands) + len(words), len(out)
        if offered and int(ready.value):
            commands.pop(0)
        if side == "r" and eager and int(dut.r_data__valid.value):
            out.append(int(dut.r_data__payload.value) & (1 << bits) - 1)
        if side == "w":
            if words and int(dut.w_data__ready.value):
                words.pop(0)
            if int(dut.w_done.value) & 1:
                out.append(int(dut.w_done.value) >> 1)
        still = still + 1 if moved == (len(commands) + len(words), len(out)) else 0
        cycle += 1
        assert cycle < 20_000, "it does not come to rest"
    valid.value = dut.w_data__valid.value = dut.r_data__ready.value = 0
    return out, len(commands), len(words)


# The quick ones first: most mutants do not get far.
@cocotb.test()
async def slow_consumer(dut):
    """The buffer fills, and no burst is issued that would find no room."""
    await start(dut)
    random, config = rng(2000), bench_config()
    quick = {"latency": 3, "outstanding": 8, "rate_beats": 1, "rate_cycles": 1}
    beat = config["data_bits"] // 8
    count = 5 * config.get("buffer", config["outstanding"] * config["max_burst"]) + 7
    words = [random.getrandbits(8 * beat) for _ in range(count)]
    await settings(dut, random, beat, **quick)
    await write_all(dut, [(0, count)], [words], random, 0)
    model = golden(timing.reader, config, await settings(dut, random, beat, **quick))
    beats = await read_all(dut, [(0, count)], random, 0, model, p_ready=0.2)
    assert [word for word, _ in beats] == words


@cocotb.test()
async def stops(dut):
    """After `stop` no burst begins; those begun are completed."""
    config, random = bench_config(), rng(6000)
    beat, bits = config["data_bits"] // 8, config["data_bits"]
    await start(dut)
    for side in "rw":
        first = 2 if side == "r" else 2 + config["max_burst"]       # cycle of the first burst
        for cycle in range(1, 40, 3):
            await settings(dut, random, beat, latency=6, outstanding=8, rate_beats=1, rate_cycles=1)
            words = [(random.getrandbits(bits), n == 99) for n in range(100)]
            await provoke(dut, side, [(0, 100)], words, random, stop=cycle)
            assert (int(dut.r_quiet.value), int(dut.w_quiet.value)) == (1, 1)
            assert (int(dut.violation.value), int(getattr(dut, f"{side}_error").value)) == (0, 0)
            moved = int((dut.read_beats if side == "r" else dut.write_beats).value)
            assert moved <= cycle * config["max_burst"] and (moved > 0) == (cycle > first)


@cocotb.test()
@cocotb.parametrize(end=[0x55550, 0xAAAA8, 1 << ADDR_BITS], side="rw")
async def errors(dut, end, side):
    """Each error: its code, what was before it, nothing outside the window, a bus at rest.

    The window's ends have each bit of an address at 0 and at 1.
    """
    config, random = bench_config(), rng(5000)
    beat, bits = config["data_bits"] // 8, config["data_bits"]
    top = (1 << ADDR_BITS) // beat
    low = end // beat - WINDOW
    begin = low - AROUND
    await start(dut)
    held = [random.getrandbits(bits) for _ in range(min(WINDOW + 2 * AROUND, top - begin))]
    everything = [(begin, len(held))]
    quick = {"latency": 4, "outstanding": 8, "rate_beats": 1, "rate_cycles": 1}
    await settings(dut, random, beat, **quick)
    await write_all(dut, everything, [held], random, 0)
    window = low * beat | WINDOW * beat << ADDR_BITS
    for code, bad, given, passed in provocations(side, beat, random, low):
        await settings(dut, random, beat, **{"window": window, **quick, **given})
        count = SMALL + bad[1] + (code == "REGION_OVERFLOW")
        new = [random.getrandbits(bits) for _ in range(count)]
        words = [(word, n + 1 in (SMALL, len(new))) for n, word in enumerate(new)]
        refused = str(code).endswith(("WINDOW", "MISALIGNED"))
        commands = [(low * beat, SMALL), bad, *([(low * beat, 1)] if refused else [])]
        out, left, surplus = await provoke(dut, side, commands, words, random)
        assert left == refused, f"{code}: a command after it is taken"
        assert surplus == 1 or code != "REGION_OVERFLOW", "a beat without room is taken"
        error = getattr(dut, f"{side}_error")
        wanted = 0 if code is None else 1 | ErrorCode[code] << 1
        assert int(error.value) == wanted, f"{code}: {int(error.value)}"
        assert (int(dut.r_quiet.value), int(dut.w_quiet.value)) == (1, 1), code
        assert int(dut.violation.value) == 0
        first = bad[0] // beat - begin
        if side == "r":
            assert out == held[AROUND:AROUND + SMALL] + held[first:][:passed], code
            continue
        done = [[SMALL, bad[1]]] if code is None else [[SMALL]]
        assert out in ([*done, [SMALL, bad[1]]] if passed < bad[1] else done), (code, out)
        await settings(dut, random, beat, **quick)
        held[AROUND:AROUND + SMALL] = new[:SMALL]
        now = await read_all(dut, everything, random, 0)
        for n, (word, _) in enumerate(now):
            if first <= n < first + bad[1] and not refused:
                held[n] = word          # of a bad region some beats are written, some are not
            assert word == held[n], f"{code}: beat {n}"


@cocotb.test()
@cocotb.parametrize(side="rw")
async def the_first_error_stays(dut, side):
    """A command that would be refused changes nothing after an error."""
    random, bits = rng(8000), bench_config()["data_bits"]
    beat = bits // 8
    await start(dut)
    for later in (((1 << ADDR_BITS) - beat, 2), (1, 1)):
        await settings(dut, random, beat, latency=4, outstanding=8, rate_beats=1, rate_cycles=1,
                       size=5 * beat)
        words = [(random.getrandbits(bits), n == 7) for n in range(8)]
        await provoke(dut, side, [(0, 8), later], words, random)
        code = ErrorCode["READ_DECERR" if side == "r" else "WRITE_DECERR"]
        assert int(getattr(dut, f"{side}_error").value) == 1 | code << 1


@cocotb.test()
async def every_cycle_as_golden(dut):
    await start(dut)
    for n in range(bench_config()["episodes"]):
        await episode(dut, rng(n), True)


@cocotb.test()
async def random_stalls(dut):
    await start(dut)
    for n in range(bench_config()["episodes"]):
        random = rng(1000 + n)
        # The first time every channel stalls; then those that chance picks.
        stalls = {f"stall_{c}": random.choice([0, 100, 200, 250]) if n else 200 for c in CHANNELS}
        await episode(dut, random, False, **stalls)


@cocotb.test()
async def full_rate(dut):
    """One beat per cycle at latency 64, across commands, both directions at once."""
    config = bench_config()
    if config["max_burst"] * config["outstanding"] < 128:
        return
    await start(dut)
    counts = (300, 1, 16, 200)
    beat, page = config["data_bits"] // 8, 32768 // config["data_bits"]
    transfers = [(n * (300 + page) // page * page, beats) for n, beats in enumerate(counts)]
    words = [[rng(n).getrandbits(8 * beat) for _ in range(n)] for n in counts]
    fast = {"latency": 64, "outstanding": 64, "rate_beats": 1, "rate_cycles": 1}
    await settings(dut, rng(), beat, **fast)
    await write_all(dut, transfers, words, rng(), 0)
    model = golden(timing.reader, config, await settings(dut, rng(), beat, **fast))
    beats = await read_all(dut, transfers, rng(), 0, model, p_ready=1)
    assert [word for word, _ in beats] == [word for region in words for word in region]
    assert model.state[timing.NOW] == 68 + sum(counts)


@cocotb.test()
async def corners_as_golden(dut):
    await start(dut)
    random, config = rng(4000), bench_config()
    regions = corners(config)
    words = [[random.getrandbits(config["data_bits"]) for _ in range(n)] for *_, n in regions]
    quick = {"latency": 3, "outstanding": 8, "rate_beats": 1, "rate_cycles": 1}
    beat = config["data_bits"] // 8
    values = await settings(dut, random, beat, **quick)
    places = [(at, room) for at, room, _ in regions]
    await write_all(dut, places, words, random, 0, golden(timing.writer, config, values))
    values = await settings(dut, random, beat, **quick)
    beats = await read_all(dut, places, random, 0, golden(timing.reader, config, values), p_ready=1)
    assert [word for word, _ in beats] == [word for region in words for word in region]
    # Each of the lengths as the first that a reader gets, with a region after it.
    for place, region in zip(places[1:BEATS_BITS - 5], words[1:], strict=False):
        values = await settings(dut, random, beat, **quick)
        beats = await read_all(dut, [place, places[0]], random, 0,
                               golden(timing.reader, config, values), p_ready=1)
        assert [word for word, _ in beats] == region + words[0]


def far_apart(random, beat):
    """Short regions (first beat, beats), each in the half of memory where the one before is not,
    with every bit of its place the other way."""
    slots = (1 << ADDR_BITS) // beat // 16
    for slot in random.sample(range(slots // 2), 24):
        for place in (slot, slots - 1 - slot):
            yield 16 * place, random.randrange(1, 5)


@cocotb.test()
async def queues_as_golden(dut):
    """A slow memory: all queues are full, their entries as different as can be."""
    await start(dut)
    random, config = rng(7000), bench_config()
    beat = config["data_bits"] // 8
    regions = list(far_apart(random, beat))
    words = [[random.getrandbits(8 * beat) for _ in range(n)] for _, n in regions]
    slow = {"latency": 9, "outstanding": 1, "rate_beats": 1, "rate_cycles": 2}
    values = await settings(dut, random, beat, **slow)
    await write_all(dut, regions, words, random, 0, golden(timing.writer, config, values))
    values = await settings(dut, random, beat, **slow)
    beats = await read_all(dut, regions, random, 0, golden(timing.reader, config, values))
    assert [word for word, _ in beats] == [word for region in words for word in region]
