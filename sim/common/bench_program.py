"""The host of `sim.common.program`: loads, starts, waits, reads registers, dumps; per job."""

import pickle
import time

import cocotb
from cocotb.triggers import First, RisingEdge, Timer
from cocotb.utils import get_sim_time

from sim.common.axi_lite import LiteMaster
from sim.common.bench import PERIOD_NS, bench_config, reset, start

STALLED = ("ar", "r", "aw", "w", "b")


@cocotb.test()
async def programs(dut):
    given = bench_config()
    host = LiteMaster(dut)
    outcomes = []
    await start(dut)
    for n, job in enumerate(given["jobs"]):
        began = time.perf_counter()
        _configure(dut, job, n)
        await _strobe(dut.load)
        if n == 0 or job.reset:
            await reset(dut)
        outcome = await _run(dut, host, job, given["registers"])
        outcome |= await _collect(dut, host, given["registers"])
        outcomes.append({**outcome, "wall_s": time.perf_counter() - began})
        with open("outcomes.pickle", "wb") as file:
            pickle.dump(outcomes, file)


def _configure(dut, job, n):
    """The memory's parameters, as the ports of `axi_memory.v`."""
    stalls = job.stalls or {}
    fault, address = job.fault or ("", 0)
    values = {
        "latency": job.latency, "outstanding": job.outstanding, "rate_beats": job.bandwidth[0],
        "rate_cycles": job.bandwidth[1], "size": job.image, "fault_addr": address,
        "fault_read": fault in ("read", "both"), "fault_write": fault in ("write", "both"),
        "seed": stalls.get("seed", 1), "job": n, "limit": 0,
        **{f"stall_{c}": min(255, round(256 * stalls.get(c, 0))) for c in STALLED}}
    for name, value in values.items():
        getattr(dut, name).value = int(value)


async def _strobe(signal):
    signal.value = 1
    await Timer(1, "ns")
    signal.value = 0
    await Timer(1, "ns")


async def _run(dut, host, job, registers):
    """Starts the job and waits for its end."""
    *setup, (last, value) = job.writes
    for name, word in setup:
        await _write(host, registers, name, word)
    end = cocotb.start_soon(_time_of(dut.stop))
    dut.limit.value = job.max_cycles
    await _write(host, registers, last, value)
    origin = host.taken
    for cycle, *event in sorted(job.events):
        left = cycle - (get_sim_time("ns") - origin) / PERIOD_NS
        if left > 0 and not end.done():
            await First(end, Timer(left * PERIOD_NS, "ns"))
        if event[0] == "reset":
            end.cancel()
            await reset(dut)
            return {"cycles": cycle, "finished": False}
        if not end.done():
            await _write(host, registers, *event)
    cycles = round((await end - origin) / PERIOD_NS)
    return {"cycles": cycles, "finished": bool(int(dut.irq.value))}


async def _time_of(signal):
    """The time (ns) at which `signal` rises."""
    await RisingEdge(signal)
    return get_sim_time("ns")


async def _write(host, registers, name, value):
    response = await host.write(registers[name][0], value)
    assert response == 0, f"writing {name} gives response {response}"


async def _collect(dut, host, registers):
    """Registers and the memory's dump."""
    values = {}
    await RisingEdge(dut.clk)
    for name, (offset, access) in registers.items():
        if access != "pulse":
            values[name], _ = await host.read(offset)
    dut.limit.value = 0
    first, last = int(dut.first_written.value), int(dut.last_written.value)
    if first <= last:
        dut.dump_first.value, dut.dump_last.value = first, last
        await Timer(1, "ns")
        await _strobe(dut.dump)
    await RisingEdge(dut.clk)
    status = {name: int(getattr(dut, name).value) for name in ("read_beats", "write_beats")}
    return {"registers": values, "violation": int(dut.violation.value), "first_written": first,
            "last_written": last, **status}
