"""STORE: sums to bytes in memory, of every function and pooling, and the cycles of each pixel."""

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.cambricon_s.functions import apply
from golden.numeric import requantise
from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.instruction import CHOICES
from hw.cambricon_s.layouts import slot_layout
from hw.cambricon_s.sides import State
from hw.common.axi.dma import command_layout
from hw.common.axi.lines import beat_layout
from hw.common.axi.shell import BEATS_BITS
from sim.common.bench import bench_config, rng, start

SIZE = 1 << 12


def random_slot(cfg, rand):
    pool = rand.choice(CHOICES["pool"])
    function = rand.choice(CHOICES["function"][:2] if pool == "average" else CHOICES["function"])
    k = (1, 1) if pool == "none" else (rand.randint(1, 2), rand.randint(1, 2))
    s, columns = rand.randint(1, 2), 1
    width = (columns - 1) * s + k[1]
    lanes, size = rand.randint(1, cfg.tm), cfg.data_bits // 8
    rows = 1 + (cfg.nbout_vectors >= 8 and rand.randint(0, 1))
    return {"nbout_side": rand.randint(0, 1), "nbout_first": rand.randint(0, 0), "rows": rows,
            "columns": columns, "row_step": width, "multiplier": rand.choice([1, 3, 65535]),
            "shift": rand.choice([0, 5, 20, 30, 63]),
            "out_bits": rand.randint(1, cfg.data_bits - 1),
            "function": CHOICES["function"].index(function), "pool": CHOICES["pool"].index(pool),
            "pool_rows": k[0], "pool_columns": k[1], "pool_s": s,
            "area": rand.choice([k[0] * k[1], 9]), "address": rand.randrange(0, 1024, size),
            "pixel_pitch": lanes * size, "row_pitch": 100 * size, "lanes": lanes,
            "release": rand.randint(0, 1), "there": 1}


def pixel(cfg, slot, sums, y, x):
    """The neurons of an output, from [vector, lane] sums."""
    at = [slot["nbout_first"] + (y * slot["pool_s"] + i) * slot["row_step"] + x * slot["pool_s"] + j
          for i in range(slot["pool_rows"]) for j in range(slot["pool_columns"])]
    values = [exact(int(v), slot) for v in sums[at].ravel()]
    values = np.array(values).reshape(len(at), -1)
    function, pool = CHOICES["function"][slot["function"]], CHOICES["pool"][slot["pool"]]
    if function == "relu":
        values = np.maximum(values, 0)
    if pool == "average":
        total, area = values.sum(0), slot["area"]
        floor, rest = total // area, total % area
        return floor + ((2 * rest > area) | ((2 * rest == area) & (floor & 1 == 1)))
    values = values.max(0)
    if function in ("sigmoid", "tanh"):
        return apply(function, values, cfg.data_bits, cfg.table_bits)
    return values


def exact(value, slot):
    """Requantised; of numbers that int64 does not hold too."""
    shift, limit = slot["shift"], 1 << slot["out_bits"]
    product = value * slot["multiplier"]
    if abs(product) < 1 << 62 and shift < 63:
        return int(requantise(value, slot["multiplier"], shift, slot["out_bits"] + 1))
    floor, rest = product >> shift, product & (1 << shift) - 1
    floor += 2 * rest > 1 << shift or (2 * rest == 1 << shift and floor & 1)
    return max(-limit, min(limit - 1, floor))


class Writer:
    """Takes commands and beats; the first beat of a region two cycles after its command."""

    def __init__(self, dut, cfg, rand, p_stall):
        self.dut, self.cfg, self.rand, self.p_stall = dut, cfg, rand, p_stall
        self.memory, self.regions, self.beat, self.cycle, self.done = bytearray(SIZE), [], 0, 0, 0
        self.command = command_layout(cfg.addr_bits, BEATS_BITS)
        self.beats = beat_layout(cfg.memory_bits, strobes=True)

    async def cycle_of(self):
        dut, size = self.dut, self.cfg.beat_bytes
        go = self.rand.random() >= self.p_stall
        takes = bool(self.regions) and self.regions[0][2] <= self.cycle and go
        dut.write_command__ready.value = int(go)
        dut.write_data__ready.value = int(takes)
        dut.write_done.value = int(self.done > 0)
        self.done -= self.done > 0
        await RisingEdge(dut.clk)
        if go and int(dut.write_command__valid.value):
            command = self.command.from_bits(int(dut.write_command__payload.value))
            assert command.address % size == 0
            self.regions.append((command.address, command.beats, self.cycle + 2))
        if takes and int(dut.write_data__valid.value):
            beat = self.beats.from_bits(int(dut.write_data__payload.value))
            address, count, _ = self.regions[0]
            for n in range(size):
                if beat.strb >> n & 1:
                    self.memory[address + self.beat * size + n] = beat.data >> 8 * n & 255
            self.beat += 1
            assert beat.last == (self.beat == count)
            if beat.last:
                self.regions.pop(0)
                self.beat, self.done = 0, self.done + 1
        self.cycle += 1


def cost(cfg, slot, address):
    """Cycles of a pixel whose bus never waits."""
    out = slot["pool_rows"] * slot["pool_columns"] + 4
    out += cfg.data_bits + 2 if slot["pool"] == 2 else cfg.tm + 2 if slot["function"] > 1 else 0
    return out + -(-(address % cfg.beat_bytes + slot["lanes"] * cfg.data_bits // 8)
                   // cfg.beat_bytes)


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.5])
async def bytes_and_cycles(dut, p_stall):
    cfg, rand = bench_config(CambriconSConfig), rng(p_stall)
    await start(dut)
    random = np.random.default_rng(rand.getrandbits(32))
    layout, bits = slot_layout(cfg, "store"), cfg.acc_bits
    sums = [random.integers(-(1 << bits - 1), 1 << bits - 1, (cfg.nbout_vectors, cfg.tm))
            >> random.integers(0, bits - 4, (cfg.nbout_vectors, cfg.tm)) for _ in range(2)]
    packed = [[sum((int(v) & (1 << bits) - 1) << n * bits for n, v in enumerate(vector))
               for vector in side] for side in sums]
    for n in range(2):
        getattr(dut, f"state__{n}").value = State.FULL.value
    for _ in range(25):
        slot = random_slot(cfg, rand)
        bus, wanted, cycles = Writer(dut, cfg, rand, p_stall), bytearray(SIZE), 1
        for y in range(slot["rows"]):
            for x in range(slot["columns"]):
                at = slot["address"] + y * slot["row_pitch"] + x * slot["pixel_pitch"]
                values = pixel(cfg, slot, sums[slot["nbout_side"]], y, x)[:slot["lanes"]]
                data = values.astype(f"<i{cfg.data_bits // 8}").tobytes()
                wanted[at:at + len(data)] = data
                cycles += cost(cfg, slot, at)
        dut.i__payload.value, dut.i__valid.value = layout.const(slot).as_bits(), 1
        taken = ended = None
        while ended is None:
            await bus.cycle_of()
            if taken is None:
                assert int(dut.i__ready.value)
                taken = bus.cycle
                dut.i__valid.value = 0
            vector, side = int(dut.vector.value), int(dut.side.value)
            dut.sums.value = packed[side][vector] if vector < cfg.nbout_vectors else 0
            assert not int(dut.beyond.value)
            if int(dut.used.value) & 1:
                assert int(dut.used.value) == 1 | slot["nbout_side"] << 1 | slot["release"] << 2
                ended = bus.cycle - taken + 1
        assert bus.memory == wanted, slot
        assert p_stall or ended == cycles, (slot, ended, cycles)
        while int(dut.busy.value):
            await bus.cycle_of()
            assert bus.cycle < 5000
