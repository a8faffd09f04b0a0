"""Bench of LiteRegs: every channel and register in every cycle, whatever comes over the bus."""
import cocotb

from golden import lite_regs
from sim.common.axi_lite import LiteMaster
from sim.common.bench import bench_config, rng, start
from sim.common.lockstep import lockstep

OKAY, SLVERR = 0, 2


def traffic(registers):
    """Words for the three channels: mostly registers, also offsets between and beyond them."""
    offsets = [r["offset"] for r in registers]

    def address(r):
        offset = r.choice(offsets)
        near = offset ^ 1 << r.randrange(12) if r.random() < 0.2 else offset
        return {"addr": near, "prot": r.getrandbits(3)}

    def word(r):
        return {"data": r.getrandbits(32), "strb": 15 if r.random() < 0.5 else r.getrandbits(4)}

    return {"bus__aw": address, "bus__w": word, "bus__ar": address}


def controls(registers):
    """Values for what the hardware gives."""
    values = {"lock": lambda r: r.random() < 0.3}
    for register in registers:
        bits = register["width"]
        if register["access"] == "ro":
            values[register["name"]] = lambda r, bits=bits: r.getrandbits(bits)
        elif register["access"] == "w1c":
            values[f"{register['name']}_set"] = lambda r, bits=bits: (
                r.getrandbits(bits) & r.getrandbits(bits) & r.getrandbits(bits))
    return values


@cocotb.test()
async def each_access(dut):
    """Each register once, alone: what a driver sees."""
    registers = bench_config()["registers"]
    await start(dut)
    bus = LiteMaster(dut, "bus")
    for register in registers:
        width = (1 << register["width"]) - 1
        wrong = SLVERR if register["access"] == "ro" else OKAY
        assert await bus.write(register["offset"], 0xa5c3_96f0) == wrong, register["name"]
        expected = {"rw": 0xa5c3_96f0 & width, "ro": 0, "pulse": 0,
                    "w1c": register["init"] & ~0xa5c3_96f0}[register["access"]]
        assert await bus.read(register["offset"]) == (expected, OKAY), register["name"]


@cocotb.test()
async def every_address_bit_counts(dut):
    registers = bench_config()["registers"]
    mapped = {r["offset"] for r in registers}
    await start(dut)
    bus = LiteMaster(dut, "bus")
    for offset in {offset ^ 1 << bit for offset in mapped for bit in range(12)} - mapped:
        assert await bus.read(offset) == (0, SLVERR), hex(offset)
        assert await bus.write(offset, 0xffff_ffff) == SLVERR, hex(offset)
    for register in registers:
        if register["access"] in ("rw", "w1c"):
            assert await bus.read(register["offset"]) == (register["init"], OKAY)


@cocotb.test()
async def lockstep_with_golden(dut):
    registers = bench_config()["registers"]
    await start(dut)
    await lockstep(dut, lite_regs.LiteRegs(registers), 3000, rng(), traffic(registers),
                   controls=controls(registers))
