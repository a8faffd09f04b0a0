"""Bench of StoragePE: maps come from the PEs, with their ends; what does not fit leaves in lines;
the next layer's passes get both back, in order."""
import cocotb
from cocotb.triggers import Combine, RisingEdge

from hw.mnf.fields import pixels_per_line
from hw.mnf.layouts import pixel_layout, pixel_line_layout, result_layout
from hw.mnf.storage_pe import map_layout
from sim.common.bench import bench_config, pulse, recv, rng, send, start
from sim.mnf.bench_mesh import nodes_of
from sim.mnf.cases import packer

ROWS, EDGE = 7, 3


def random_map(cfg, r, busy):
    """What each port gets: pixels of its nodes, a few rows having most of them, and each node's
    `end` behind its last one."""
    ports = []
    for port in range(cfg.ports):
        queues = [[{"source": node, "value": r.randint(-128, 127), "channel": r.randrange(1 << 16),
                    "y": r.choice([r.randrange(ROWS), EDGE]), "x": r.randrange(1 << cfg.coord_bits)}
                   for _ in range(r.randrange(busy))] + [{"source": node, "end": 1}]
                  for node in nodes_of(cfg, port)]
        mixed = []
        while any(queues):
            mixed.append(r.choice([queue for queue in queues if queue]).pop(0))
        ports.append(mixed)
    return ports


def held(ports, room):
    """Rows of each bank, and how many pixels of all do not fit."""
    banks = [{row: [] for row in range(ROWS)} for _ in ports]
    for bank, results in zip(banks, ports, strict=True):
        for one in results:
            if "end" not in one:
                bank[one["y"]].append(one)
    over = sum(max(0, len(row) - room) for bank in banks for row in bank.values())
    return [{y: row[:room] for y, row in bank.items()} for bank in banks], over


def replayed(banks, first, last):
    """Rows ascend; in a row the banks take turns."""
    for y in range(first, last + 1):
        for n in range(max(len(bank[y]) for bank in banks)):
            yield from (bank[y][n] for bank in banks if n < len(bank[y]))


async def take_lines(dut, r, p_stall, lines):
    """Memory's part: the region is commanded as soon as there is a line, and written some time
    after its last one."""
    while True:
        while not int(dut.opens.value):
            await RisingEdge(dut.clk)
        dut.open.value = 1
        (word,), _ = await recv(dut, "o", 1, r, p_stall)
        lines.append(word & (1 << pixel_line_layout(bench_config()).size) - 1)
        if word >> len(dut.o__payload) - 1:
            break
    dut.open.value = 0
    for _ in range(r.randrange(9)):
        await RisingEdge(dut.clk)
    await pulse(dut.clk, dut.written)


async def settle(dut):
    dut.settle.value = 1
    for _ in range(200):
        await RisingEdge(dut.clk)
        if int(dut.settled.value):
            break
    assert int(dut.settled.value)
    dut.settle.value = 0


async def fill(dut, cfg, r, p_stall, ports):
    """A layer's outputs; returns the lines of what did not fit."""
    pack, lines = packer(result_layout(cfg)), []
    memory = cocotb.start_soon(take_lines(dut, r, p_stall, lines))
    dut.begin.value = (1 << cfg.nodes) - 2
    await RisingEdge(dut.clk)
    dut.begin.value = 0
    await Combine(*(cocotb.start_soon(send(
        dut, f"result__{port}", [pack(one) for one in results], r, p_stall))
        for port, results in enumerate(ports)))
    await settle(dut)
    memory.cancel()
    assert not int(dut.twice.value) & 1 and not int(dut.missing.value) & 1
    return lines


async def turn(dut, keep, room):
    dut.map.value = packer(map_layout(bench_config()))(
        {"keep": keep, "rows": ROWS, "row_events": room})
    await pulse(dut.clk, dut.turn)
    for row in range(ROWS):
        dut.clear_row.value = row
        await pulse(dut.clk, dut.clear)


async def replay(dut, cfg, r, p_stall, lines, expected, first, last):
    """A pass: every port gets every pixel."""
    dut.banks.value, dut.lines.value = 1, len(lines)
    dut.first_row.value, dut.last_row.value = first, last
    await pulse(dut.clk, dut.replay)
    tasks = [cocotb.start_soon(recv(dut, f"pixel__{port}", len(expected), r, p_stall))
             for port in range(cfg.ports)] if expected else []
    tasks.append(cocotb.start_soon(send(dut, "line", lines, r, p_stall)))
    await Combine(*tasks)
    for task in tasks[:-1]:
        assert task.result()[0] == expected
    for _ in range(30):
        await RisingEdge(dut.clk)
    assert int(dut.replayed.value) and not int(dut.wrong.value)


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def maps_come_back(dut, p_stall):
    cfg, r = bench_config(), rng(p_stall)
    pack, most = packer(pixel_layout(cfg)), pixels_per_line(cfg)
    await start(dut)
    for _ in range(6):
        room, ports = r.choice([2, 40]), random_map(cfg, r, r.choice([2, 40]))
        await turn(dut, 1, room)
        lines = await fill(dut, cfg, r, p_stall, ports)
        banks, over = held(ports, room)
        assert len(lines) == -(-over // most)
        layout = pixel_line_layout(cfg)
        contents = [layout.from_bits(line) for line in lines]
        assert sum(line.count for line in contents) == over
        await turn(dut, 1, room)
        assert int(dut.spilled.value) == len(lines)
        spilled = [line.pixels[k].as_bits() for line in contents for k in range(line.count)]
        for first, last in ((0, ROWS - 1), (EDGE, EDGE), (EDGE - 1, r.randint(EDGE, ROWS - 1))):
            there = [pack(one) for one in _pixels(replayed(banks, first, last))]
            await replay(dut, cfg, r, p_stall, lines, there + spilled, first, last)
        every = sorted(pack(one) for one in _pixels(
            one for results in ports for one in results if "end" not in one))
        assert sorted([pack(one) for one in _pixels(replayed(banks, 0, ROWS - 1))]
                      + spilled) == every
        await settle(dut)       # of a layer that fires nothing


def _pixels(results):
    return ({name: one[name] for name in ("value", "channel", "y", "x")} for one in results)


@cocotb.test()
async def every_pixel_and_a_row_of_banks_in_a_cycle(dut):
    """Each port takes a pixel in each cycle; a replay gives one in each, two cycles for a row."""
    cfg, r = bench_config(), rng()
    await start(dut)
    await turn(dut, 1, 40)
    pack = packer(result_layout(cfg))
    dut.begin.value = 0
    words = [pack({"source": 1, "y": EDGE, "x": n}) for n in range(30)]
    tasks = [cocotb.start_soon(send(dut, f"result__{port}", words)) for port in range(cfg.ports)]
    await Combine(*tasks)
    assert [task.result() for task in tasks] == [30] * cfg.ports
    await settle(dut)
    await turn(dut, 1, 40)
    dut.banks.value, dut.first_row.value, dut.last_row.value = 1, EDGE, EDGE
    await pulse(dut.clk, dut.replay)
    tasks = [cocotb.start_soon(recv(dut, f"pixel__{port}", 30 * cfg.ports, r, 0))
             for port in range(cfg.ports)]
    await Combine(*tasks)
    assert {task.result()[1] for task in tasks} == {30 * cfg.ports + 4}


@cocotb.test()
async def ends_are_counted(dut):
    """One that nobody owes; one that does not come; a pixel beyond the map."""
    cfg = bench_config()
    pack = packer(result_layout(cfg))
    await start(dut)
    await turn(dut, 1, 4)
    node = nodes_of(cfg, 0)[0]
    dut.result__0__payload.value, dut.result__0__valid.value = pack({"source": node, "end": 1}), 1
    await RisingEdge(dut.clk)
    assert int(dut.twice.value) == 1 | node << 1
    dut.result__0__valid.value, dut.begin.value, dut.still.value = 0, 1 << node, 1
    await RisingEdge(dut.clk)
    dut.begin.value = 0
    for _ in range(70):
        await RisingEdge(dut.clk)
    assert int(dut.missing.value) == 1 | node << 1
    await send(dut, "result__0", [pack({"source": node, "end": 1})])
    await send(dut, "result__0", [pack({"source": node, "y": ROWS})])
    await RisingEdge(dut.clk)
    assert int(dut.bad.value) == 1 and not int(dut.missing.value) & 1
