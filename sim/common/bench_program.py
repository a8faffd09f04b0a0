"""The host of `sim.common.program`: loads, starts, waits, reads registers, dumps; per job."""

import pickle
import time

import cocotb
from cocotb.triggers import RisingEdge, Timer, with_timeout
from cocotb.utils import get_sim_time

from sim.common.axi_lite import LiteMaster
from sim.common.bench import PERIOD_NS, bench_config, reset, start

FOREVER = 1 << 62
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
            await _reset(dut, job)
        attempt = _whole(dut, host, job, given["registers"])
        outcome = await (attempt if job.mutant is None else _survive(attempt, job, dut))
        outcomes.append(outcome and {**outcome, "wall_s": time.perf_counter() - began})
        with open("outcomes.pickle", "wb") as file:
            pickle.dump(outcomes, file)


async def _reset(dut, job):
    """A reset; of mutants it is the original that is reset, so that none inherits another's
    registers."""
    if job.mutant is not None:
        dut.mutsel.value = 0
    await reset(dut)
    if job.mutant is not None:
        dut.mutsel.value = job.mutant


async def _whole(dut, host, job, registers):
    return await _run(dut, host, job, registers) | await _collect(dut, host, registers)


async def _survive(attempt, job, dut):
    """The outcome of a mutant; None if it hangs or gives no numbers."""
    try:
        return await with_timeout(attempt, 4 * PERIOD_NS * (job.max_cycles + 2000), "ns")
    except Exception:
        for channel in ("aw", "w", "b", "ar", "r"):
            idle = "ready" if channel in ("b", "r") else "valid"
            getattr(dut, f"control__{channel}__{idle}").value = 0
        return None


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
    armed = get_sim_time("ns")
    dut.limit.value = FOREVER
    await _write(host, registers, last, value)
    lead = round((host.taken - armed) / PERIOD_NS)    # `count` at the start
    samples = []
    for cycle, *event in sorted(job.events):
        if await _over(dut, cycle + lead):
            break
        if event[0] == "reset":
            await reset(dut)
            return {"cycles": cycle, "finished": False, "samples": samples}
        dut.limit.value = FOREVER
        if event[0] == "read":
            now = int(dut.count.value) - lead
            values = [(await host.read(registers[name][0]))[0] for name in event[1]]
            samples.append((now, *values))
        else:
            await _write(host, registers, *event)
    finished = await _over(dut, job.max_cycles + lead)
    return {"cycles": int(dut.count.value) - lead, "finished": finished, "samples": samples}


async def _over(dut, limit):
    """Waits until `count` is `limit` or the run is over; whether irq came."""
    dut.limit.value = limit
    await RisingEdge(dut.clk)
    if not int(dut.stop.value):
        await RisingEdge(dut.stop)
    await RisingEdge(dut.clk)
    return bool(int(dut.irq.value)) and int(dut.count.value) < limit


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
