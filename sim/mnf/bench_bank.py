"""Bench of Bank: pixels in, rows read back from the other side, what does not fit leaves."""
import cocotb
from cocotb.triggers import Combine, RisingEdge

from hw.mnf.bank import stored_layout
from hw.mnf.layouts import pixel_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.mnf.cases import packer


async def fill(dut, cfg, pixels, expected, r, p_stall):
    """Sends the pixels; what leaves by `spill`, in order, is as expected."""
    pack = packer(pixel_layout(cfg))
    jobs = [cocotb.start_soon(send(dut, "i", [pack(one) for one in pixels], r, p_stall))]
    if expected:
        jobs.append(cocotb.start_soon(recv(dut, "spill", len(expected), r, p_stall)))
    await Combine(*jobs)
    if expected:
        words, _ = jobs[1].result()
        assert words == [pack(one) for one in expected]
    while not int(dut.idle.value):
        await RisingEdge(dut.clk)


async def read_row(dut, cfg, row):
    """The words of a row of the side that is read."""
    dut.row.value = row
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    count, words = int(dut.count.value), []
    dut.read.value = 1
    for n in range(count):
        dut.address.value = row * int(dut.row_events.value) + n
        await RisingEdge(dut.clk)
        if n:
            words.append(int(dut.word.value))
    dut.read.value = 0
    await RisingEdge(dut.clk)
    return words + ([int(dut.word.value)] if count else [])


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def rows_come_back(dut, p_stall):
    cfg, r = bench_config(), rng(p_stall)
    pack = packer(stored_layout(cfg))
    await start(dut)
    for turn in range(6):
        rows = r.randint(1, 12)
        room, keep = r.randint(1, 9), turn != 3
        dut.side.value, dut.keep.value = turn % 2, keep
        dut.rows.value, dut.row_events.value = rows, room
        for row in range(rows):
            dut.clear.value, dut.clear_row.value = 1, row
            await RisingEdge(dut.clk)
        dut.clear.value = 0
        pixels, held, spilled, y = [], {}, [], 0
        for _ in range(60):
            y = y if r.random() < 0.6 else r.randrange(rows)     # the same row again and again
            pixels.append({"value": r.randint(-128, 127), "channel": r.randrange(1 << 16), "y": y,
                           "x": r.randrange(500)})
            own = held.setdefault(y, [])
            (own if keep and len(own) < room else spilled).append(pixels[-1])
        await fill(dut, cfg, pixels, spilled, r, p_stall)
        dut.side.value = 1 - turn % 2
        for row in range(rows):
            got = await read_row(dut, cfg, row)
            assert got == [pack({name: one[name] for name in ("value", "channel", "x")})
                           for one in held.get(row, [])]


@cocotb.test()
async def a_pixel_beyond_the_map_is_bad(dut):
    cfg, r = bench_config(), rng()
    pack = packer(pixel_layout(cfg))
    await start(dut)
    dut.rows.value, dut.row_events.value, dut.keep.value = 4, 5, 1
    for row in range(4):
        dut.clear.value, dut.clear_row.value = 1, row
        await RisingEdge(dut.clk)
    dut.clear.value = 0
    for y, bad in ((3, 0), (4, 1), (300, 1), (0, 0)):
        await send(dut, "i", [pack({"y": y})], r, 0)
        await RisingEdge(dut.clk)
        assert int(dut.bad.value) == bad and not int(dut.spill__valid.value)
