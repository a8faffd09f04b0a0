"""LineReader and LineWriter against ``golden/formats/lines.py``."""
import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.formats.lines import line_bytes, pack_lines
from sim.common.bench import bench_config, recv, reset, rng, send, start


def draw(random, count):
    """Contents with their ``last`` (ints), and their beats with theirs."""
    config = bench_config()
    bits, beat = config["content_bits"], config["data_bits"] // 8
    contents = [random.getrandbits(bits) for _ in range(count)]
    lasts = [int(random.random() < 0.3) for _ in range(count)]
    raw = b"".join(c.to_bytes(-(-bits // 8), "little") for c in contents)
    packed = pack_lines(np.frombuffer(raw, np.uint8).reshape(count, -1), bits, 8 * beat)
    beats = []
    for line, last in zip(packed, lasts, strict=True):
        words = line.tobytes()
        ends = range(beat, len(words) + 1, beat)
        beats += [int.from_bytes(words[e - beat:e], "little")
                  | (last if e == len(words) else 0) << 8 * beat for e in ends]
    return [c | last << bits for c, last in zip(contents, lasts, strict=True)], beats


def line_beats():
    config = bench_config()
    return line_bytes(config["content_bits"], config["data_bits"]) * 8 // config["data_bits"]


async def through(dut, given, expected, latency, random, p_in, p_out):
    """Sends and receives at once; without stalls one beat per cycle, and the latency stated."""
    sender = cocotb.start_soon(send(dut, "i", given, random, p_in))
    got, cycles = await recv(dut, "o", len(expected), rng(1), p_out)
    assert got == expected
    sent = await sender
    if not p_in and not p_out:
        assert (sent, cycles) == latency


@cocotb.test()
async def good_lines(dut):
    config, random = bench_config(), rng()
    await start(dut)
    for p_in, p_out in ((0, 0), (0.5, 0), (0, 0.5), (0.4, 0.4)):
        lines, beats = draw(random, 40)
        n = len(beats)
        if config["direction"] == "read":
            await through(dut, beats, lines, (n, n + 1), random, p_in, p_out)
        else:
            await through(dut, lines, beats, (n - line_beats() + 1, n + 1), random, p_in, p_out)


@cocotb.test()
async def bad_lines(dut):
    """Any wrong bit: the line is not offered, error rises and stays, reset mends it."""
    config, random = bench_config(), rng()
    if config["direction"] == "write":
        return
    await start(dut)
    for _ in range(30):
        lines, beats = draw(random, 3)
        bad = random.randrange(line_beats(), 2 * line_beats())
        beats[bad] ^= 1 << random.randrange(config["data_bits"])
        sender = cocotb.start_soon(send(dut, "i", beats[:2 * line_beats()], random, 0.2))
        got, _ = await recv(dut, "o", 1, random, 0.2)
        assert got == lines[:1]
        await sender
        dut.i__valid.value = dut.o__ready.value = 1
        for _ in range(5):
            await RisingEdge(dut.clk)
            assert (int(dut.error.value), int(dut.o__valid.value), int(dut.i__ready.value)) \
                == (1, 0, 0)
        dut.i__valid.value = dut.o__ready.value = 0
        await reset(dut)
        await RisingEdge(dut.clk)
        assert int(dut.error.value) == 0
