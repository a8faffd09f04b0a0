"""Bench of MACCluster: hazards at every distance, random vectors and drains, the clearing."""
import cocotb
from cocotb.triggers import RisingEdge

from hw.mnf.layouts import operands_layout
from sim.common.bench import bench_config, rng, start
from sim.mnf.cases import packer

DEPTH = 4       # cycles from taking an operand to its sum in the SRAM


class Bench:
    """Drives the cluster cycle by cycle, beside sums that are always up to date."""

    def __init__(self, dut):
        self.dut, self.cfg = dut, bench_config()
        self.pack = packer(operands_layout(self.cfg))
        self.sums = [[0] * self.cfg.acc_entries for _ in range(self.cfg.lanes)]
        self.coming = [None, None, None]        # what row must show in this cycle and the next two
        self.macs = 0

    def wrap(self, value):
        bound = 1 << self.cfg.acc_bits - 1
        return (value + bound) % (2 * bound) - bound

    async def cycle(self, value=0, lanes=None, drain=None, end=False):
        """One cycle: operands {lane: (entry, weight)}, or a drain, which goes first."""
        dut, fields = self.dut, [{}] * self.cfg.lanes
        for lane, (entry, weight) in (lanes or {}).items():
            fields[lane] = {"enable": 1, "entry": entry, "weight": weight}
        dut.i__valid.value = lanes is not None or end
        dut.i__payload.value = self.pack({"value": value, "end": end, "lanes": fields})
        dut.drain__valid.value, dut.drain__payload.value = drain is not None, drain or 0
        await RisingEdge(dut.clk)
        taken = drain is None
        assert int(dut.i__ready.value) == taken and int(dut.drain__ready.value)
        assert int(dut.busy.value) == (taken and lanes is not None and not end)
        assert int(dut.end.value) == (taken and end)
        assert int(dut.macs.value) == self.macs
        self.macs = len(lanes or {}) if taken else 0
        self._row()
        if drain is not None:
            self.coming.append([bank[drain] for bank in self.sums])
            for bank in self.sums:
                bank[drain] = 0
        else:
            self.coming.append(None)
            for lane, (entry, weight) in (lanes or {}).items():
                self.sums[lane][entry] = self.wrap(self.sums[lane][entry] + value * weight)

    def _row(self):
        """`row` in the cycle that ends now."""
        expected = self.coming[-2]
        assert int(self.dut.row_valid.value) == (expected is not None)
        if expected is not None:
            got = [getattr(self.dut, f"row__{n}").value.to_signed() for n in range(self.cfg.lanes)]
            assert got == expected

    async def all_sums(self):
        """Drains everything, against golden."""
        for entry in range(self.cfg.acc_entries):
            await self.cycle(drain=entry)
        for _ in range(DEPTH):
            await self.cycle()
        assert not any(map(any, self.sums))


async def begin(dut):
    await start(dut)
    bench = Bench(dut)
    for _ in range(bench.cfg.acc_entries):
        await RisingEdge(dut.clk)
        assert not int(dut.drain__ready.value)
    return bench


@cocotb.test()
async def a_pixel_and_its_neighbours_at_every_distance(dut):
    """Two vectors for the same sums, or for the next entry's, with 0 to DEPTH others between."""
    bench = await begin(dut)
    cfg = bench.cfg
    for distance in range(DEPTH + 1):
        for neighbour in (0, 1):
            for between in ("idle", "others", "drain"):
                lanes = {n: (3, n + 1) for n in range(cfg.lanes)}
                after = {n: (3 + neighbour * (n % 2), -2) for n in range(cfg.lanes)}
                await bench.cycle(7, lanes)
                for step in range(distance):
                    await bench.cycle(5, dict.fromkeys(range(cfg.lanes), (10 + step, 9))
                                      if between == "others" else None,
                                      drain=20 if between == "drain" else None)
                await bench.cycle(-9, after)
                await bench.cycle(drain=3 + neighbour)
                await bench.cycle(drain=3)
    await bench.all_sums()


@cocotb.test()
async def random_vectors(dut):
    """Few entries, so that hazards are everywhere; signed extremes; sums wrap."""
    bench = await begin(dut)
    cfg, r = bench.cfg, rng()
    low, high = -(1 << cfg.data_bits - 1), (1 << cfg.data_bits - 1) - 1
    for _ in range(500):
        hot = r.choice([2, 3, 5, cfg.acc_entries])
        lanes = {n: (r.randrange(hot), r.choice([low, high, r.randint(low, high)]))
                 for n in range(cfg.lanes) if r.random() < 0.8}
        await bench.cycle(r.choice([low, high, r.randint(low, high)]),
                          lanes if r.random() < 0.8 else None,
                          drain=r.randrange(hot) if r.random() < 0.1 else None,
                          end=False)
        if r.random() < 0.05:
            await bench.cycle(end=True)
    await bench.all_sums()


@cocotb.test()
async def sums_wrap(dut):
    """The largest products, again and again: a narrow sum wraps several times."""
    bench = await begin(dut)
    low = -(1 << bench.cfg.data_bits - 1)
    for n in range(40):
        await bench.cycle(low, dict.fromkeys(range(bench.cfg.lanes), (n % 2, low)))
    await bench.all_sums()
