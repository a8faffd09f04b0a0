"""Bench of axi_memory.v: against cocotbext-axi's master, and cycle by cycle."""

import cocotb
from cocotb.triggers import RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiMaster, AxiResp

from sim.common.bench import reset, rng, start

BEAT = 8
SIZE = 2048 * BEAT


async def prepare(dut, **settings):
    """Resets with `settings` of the memory's ports."""
    await start(dut)
    values = {"latency": 5, "outstanding": 4, "rate_beats": 1, "rate_cycles": 1, "size": SIZE,
              "seed": cocotb.RANDOM_SEED & 0xffffffff, **settings}
    for name, value in values.items():
        getattr(dut, name).value = value
    await reset(dut)


def master(dut):
    return AxiMaster(AxiBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst)


def stalls(p):
    return {f"stall_{c}": p for c in ("ar", "r", "aw", "w", "b")}


@cocotb.test()
@cocotb.parametrize(p=[0, 90])
async def equals_a_bytearray(dut, p):
    """Random reads and writes of any length and alignment, several in flight."""
    random, expected = rng(), bytearray(SIZE)
    await prepare(dut, **stalls(p))
    axi = master(dut)
    await axi.write(0, bytes(SIZE))
    for _ in range(12):
        writes = []
        for k in range(4):    # each in a quarter of its own, so that order does not matter
            start_, n = random.randrange(SIZE // 4 - 300), random.randrange(1, 300)
            data = random.randbytes(n)
            at = k * SIZE // 4 + start_
            expected[at:at + n] = data
            writes.append(cocotb.start_soon(axi.write(at, data)))
        for write in writes:
            assert (await write).resp == AxiResp.OKAY
        at = random.randrange(SIZE - 900)
        got = await axi.read(at, 900)
        assert got.data == bytes(expected[at:at + 900])
    assert (await axi.read(0, SIZE)).data == bytes(expected)
    assert int(dut.violation.value) == 0


@cocotb.test()
async def errors(dut):
    await prepare(dut, fault_addr=100, fault_read=1, fault_write=1)
    axi = master(dut)
    await axi.write(0, bytes(range(96)))
    assert (await axi.write(96, b"12345678")).resp == AxiResp.SLVERR
    assert (await axi.write(SIZE, b"12345678")).resp == AxiResp.DECERR
    assert (await axi.read(90, 30)).resp == AxiResp.SLVERR
    outside = await axi.read(SIZE - 8, 16)
    assert outside.resp == AxiResp.DECERR
    assert outside.data[8:] == bytes(8)
    dut.fault_read.value = 0
    assert (await axi.read(96, 8)).data != b"12345678"


async def edges(dut, count, signals):
    """The values of `signals` in the next `count` cycles."""
    rows = []
    for _ in range(count):
        await RisingEdge(dut.clk)
        rows.append(tuple(int(getattr(dut, s).value) for s in signals))
    return rows


async def ask(dut, channel, addr, beats):
    for part, value in (("addr", addr), ("len", beats - 1), ("size", 3), ("burst", 1),
                        ("valid", 1)):
        getattr(dut, f"s_axi_{channel}{part}").value = value


@cocotb.test()
@cocotb.parametrize(latency=[1, 2, 7])
async def read_latency(dut, latency):
    """Two bursts, taken in cycles 1 and 2: each beat in its cycle."""
    await prepare(dut, latency=latency)
    await ask(dut, "ar", 64, 3)
    dut.s_axi_rready.value = 1
    rows = []
    for cycle in range(latency + 8):
        rows += await edges(dut, 1, ("s_axi_arready", "s_axi_rvalid", "s_axi_rlast"))
        if cycle == 2:
            dut.s_axi_arvalid.value = 0
    assert [r[0] for r in rows[:3]] == [0, 1, 1]    # ready from the cycle after reset
    valid = [cycle for cycle, r in enumerate(rows) if r[1]]
    last = [cycle for cycle, r in enumerate(rows) if r[1] and r[2]]
    first = 1 + latency
    assert valid == list(range(first, first + 6))
    assert last == [first + 2, first + 5]


@cocotb.test()
async def outstanding_reads(dut):
    """The third burst waits until the first of two is done."""
    await prepare(dut, latency=10, outstanding=2)
    await ask(dut, "ar", 0, 2)
    dut.s_axi_rready.value = 1
    rows = await edges(dut, 16, ("s_axi_arready", "s_axi_rvalid"))
    # Taken in 1 and 2; beats of the first in 11 and 12; ready again in 13.
    assert [c for c, r in enumerate(rows) if r[0]] == [1, 2, 13, 15]
    assert [c for c, r in enumerate(rows) if r[1]] == [11, 12, 13, 14]


@cocotb.test()
async def read_rate(dut):
    """2 beats per 3 cycles: a full bucket gives one more at the start."""
    await prepare(dut, latency=1, rate_beats=2, rate_cycles=3)
    await ask(dut, "ar", 0, 8)
    dut.s_axi_rready.value = 1
    rows = await edges(dut, 16, ("s_axi_rvalid",))
    assert [r[0] for r in rows][2:14] == golden_rate(2, 3, 12)


@cocotb.test()
@cocotb.parametrize(rate=[(1, 1), (2, 3), (1, 4)])
async def write_rate(dut, rate):
    await prepare(dut, latency=1, rate_beats=rate[0], rate_cycles=rate[1])
    await ask(dut, "aw", 0, 16)
    dut.s_axi_wvalid.value = 1
    dut.s_axi_bready.value = 1
    rows = await edges(dut, 13, ("s_axi_wready",))
    assert [r[0] for r in rows] == [0, *golden_rate(*rate, 12)]


def golden_rate(beats, cycles, n):
    """Which of n cycles move a beat, from the definition in axi_memory.v."""
    credit, used, moves = cycles + beats - 1, 0, []
    for cycle in range(n):
        if cycle:
            credit = min(credit - cycles * used + beats, cycles + beats - 1)
        used = int(credit >= cycles)
        moves.append(used)
    return moves


@cocotb.test()
@cocotb.parametrize(latency=[1, 2, 7])
async def write_latency(dut, latency):
    """AW and the first beat in the same cycle; B `latency` cycles after the last beat."""
    await prepare(dut, latency=latency)
    await ask(dut, "aw", 64, 2)
    dut.s_axi_wvalid.value = 1
    dut.s_axi_wstrb.value = 255
    dut.s_axi_bready.value = 1
    rows = []
    for cycle in range(latency + 5):
        rows += await edges(dut, 1, ("s_axi_awready", "s_axi_wready", "s_axi_bvalid"))
        if cycle == 1:
            dut.s_axi_awvalid.value = 0
            dut.s_axi_wlast.value = 1
        if cycle == 2:
            dut.s_axi_wvalid.value = 0
    assert [r[:2] for r in rows[:3]] == [(0, 0), (1, 1), (1, 1)]
    assert [c for c, r in enumerate(rows) if r[2]] == [2 + latency]


@cocotb.test()
@cocotb.parametrize(
    case=["drop", "change", "fixed", "4k", "wide", "last", "x"])
async def violations(dut, case):
    await prepare(dut)
    dut.outstanding.value = 0    # never ready
    await ask(dut, "ar", 4096 - 16, 2)
    await edges(dut, 2, ())
    expected = {"drop": 1, "change": 2, "fixed": 3, "4k": 4, "wide": 5, "last": 6, "x": 7}[case]
    if case == "drop":
        dut.s_axi_arvalid.value = 0
    if case == "change":
        dut.s_axi_arlen.value = 2
    if case in ("fixed", "4k", "wide"):
        await reset(dut)
        if case == "fixed":
            dut.s_axi_arburst.value = 0
        if case == "4k":
            dut.s_axi_arlen.value = 2
        if case == "wide":
            dut.s_axi_arsize.value, dut.s_axi_arlen.value = 4, 0
        dut.outstanding.value = 1
    if case == "last":
        await ask(dut, "aw", 0, 2)
        dut.s_axi_wvalid.value, dut.s_axi_wlast.value = 1, 1
        dut.outstanding.value = 1
    if case == "x":
        if cocotb.SIM_NAME.startswith("Verilator"):
            return    # has no X
        dut.s_axi_rready.value = "X"
    await edges(dut, 4, ())
    assert int(dut.violation.value) == expected
    await Timer(1, "ns")
