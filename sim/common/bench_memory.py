"""Benches of Banked and DoubleBuffer: every word that is read, in every cycle."""
import cocotb
from cocotb.triggers import ClockCycles

from golden import memories
from sim.common.bench import bench_config, pulse, reset, rng, start
from sim.common.lockstep import lockstep


def ports(dut, config):
    """Random values for all ports; addresses that are no rows among them."""
    controls = {}
    for k in range(config["banks"]):
        for name, p in ((f"write__{k}", 0.4), (f"read__{k}", 0.7)):
            controls[f"{name}__en"] = lambda r, p=p: r.random() < p
            if config["depth"] > 1:
                bits = len(getattr(dut, f"{name}__addr"))
                controls[f"{name}__addr"] = lambda r, bits=bits: r.getrandbits(bits)
        controls[f"write__{k}__data"] = lambda r: r.getrandbits(config["width"])
    return controls


async def zero(dut, config):
    """Writes 0 to every row, of both halves if there are two; half 0 is then filling again."""
    for _ in range(1 + config["double"]):
        for row in range(config["depth"]):
            for k in range(config["banks"]):
                getattr(dut, f"write__{k}__en").value = 1
                getattr(dut, f"write__{k}__data").value = 0
                if config["depth"] > 1:
                    getattr(dut, f"write__{k}__addr").value = row
            await ClockCycles(dut.clk, 1)
        for k in range(config["banks"]):
            getattr(dut, f"write__{k}__en").value = 0
        if config["double"]:
            await pulse(dut.clk, dut.swap)


@cocotb.test()
async def lockstep_with_golden(dut):
    config = bench_config()
    shape = config["banks"], config["depth"], config["registered"]
    controls = ports(dut, config)
    if config["double"]:
        controls["swap"] = lambda r: r.random() < 0.1
    await start(dut)
    await zero(dut, config)
    model = (memories.DoubleBuffer if config["double"] else memories.Banked)(*shape)
    await lockstep(dut, model, 1500, rng(), {}, controls=controls, p_reset=0)


@cocotb.test()
async def reset_fills_half_0_and_keeps_the_rows(dut):
    config = bench_config()
    await start(dut)
    dut.write__0__data.value = 1
    await pulse(dut.clk, dut.write__0__en)
    await reset(dut)
    if config["double"]:
        for _ in range(2):                      # to half 1, and back by reset
            await pulse(dut.clk, dut.swap)
            assert int(dut.filling.value) == 0  # as before the edge
            await reset(dut)
        await pulse(dut.clk, dut.swap)
    await pulse(dut.clk, dut.read__0__en)
    await ClockCycles(dut.clk, 1)
    assert int(dut.read__0__data.value) == 1
