"""Bench of Unit: random instructions on its buffers, while DMA works beside them; errors."""
import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.tnpu import pu as golden
from hw.tnpu.instruction import Buffer, Init, Opcode, Operand
from hw.tnpu.layouts import fetch_layout, fill_layout, issue_layout, setting_layout
from sim.common.bench import bench_config, rng, start
from sim.tnpu.bench_pu import numbers, packer
from sim.tnpu.issues import instructions


class Bench:
    """The unit's ports, packed, and what its buffers hold."""

    def __init__(self, dut):
        config = bench_config()
        self.dut, self.cfg, self.unit, self.r = dut, config["cfg"], config["unit"], rng()
        self.sizes = dict(zip((Buffer.X, Buffer.W, Buffer.S0, Buffer.S1),
                              (*self.cfg.words(self.unit), self.cfg.words(self.unit)[2]),
                              strict=True))
        self.words = min(self.sizes.values())      # used by instructions
        self.held = {buffer: numbers(size, self.cfg.lanes, self.r)
                     for buffer, size in self.sizes.items()}
        self.layouts = {"setting": packer(setting_layout()), "fill": packer(fill_layout(self.cfg)),
                        "issue": packer(issue_layout(self.cfg, self.unit)),
                        "fetch": packer(fetch_layout())}

    async def cycle(self, **given):
        """One cycle with these inputs; the others but ``setting`` are 0."""
        for name in ("issue", "fill", "fetch"):
            getattr(self.dut, name).value = self.layouts[name](given.get(name, {}))
        if "setting" in given:
            self.dut.setting.value = self.layouts["setting"](given["setting"])
        await RisingEdge(self.dut.clk)

    def errors(self):
        return int(self.dut.range_error.value), int(self.dut.bank_error.value)

    def filling(self, buffer, word):
        """Fields of ``fill`` with what the model holds."""
        lanes = self.held[buffer][word].astype("<u4")
        return {"valid": 1, "buffer": buffer, "word": word,
                "data": int.from_bytes(lanes.tobytes(), "little")}

    def fetched(self):
        data = int(self.dut.fetched.value)
        return np.frombuffer(data.to_bytes(4 * self.cfg.lanes, "little"), "<u4").tolist()

    async def fill_all(self):
        for buffer, size in self.sizes.items():
            for word in range(size):
                await self.cycle(fill=self.filling(buffer, word))
                assert self.errors() == (0, 0)

    async def compare(self, bank, after=""):
        """A bank of S, word by word, a word per cycle."""
        held = self.held[(Buffer.S0, Buffer.S1)[bank]]
        for word in range(len(held) + 1):
            await self.cycle(fetch={"valid": 1, "bank": bank, "word": min(word, len(held) - 1)})
            if word:
                assert self.fetched() == held[word - 1].tolist(), f"{after}S{bank}[{word - 1}]"

    def beside(self, bank):
        """DMA in a cycle of an instruction: the other bank, words of X and W that nobody uses."""
        given = {}
        if self.r.random() < 0.5:
            buffer = self.r.choice([Buffer.X, Buffer.W, (Buffer.S1, Buffer.S0)[bank]])
            first = 0 if buffer >= Buffer.S0 else self.words
            if first < self.sizes[buffer]:
                word = self.r.randrange(first, self.sizes[buffer])
                self.held[buffer][word] = numbers(1, self.cfg.lanes, self.r)[0]
                given["fill"] = self.filling(buffer, word)
        if self.r.random() < 0.5:
            word = self.r.randrange(self.sizes[Buffer.S0])
            given["fetch"] = {"valid": 1, "bank": 1 - bank, "word": word}
        return given


@cocotb.test()
async def instructions_equal_golden(dut):
    bench = Bench(dut)
    held = bench.held
    models = [golden.PU(bench.cfg, bench.unit,
                        golden.Memories(held[Buffer.X], held[Buffer.W], held[bank]))
              for bank in (Buffer.S0, Buffer.S1)]
    models[1].slots = models[0].slots
    await start(dut)
    await bench.fill_all()
    todo = instructions(bench.cfg, bench.unit, bench.words, bench_config()["count"], bench.r)
    for setting, issues in todo:
        bank = bench.r.getrandbits(1)
        setting["transpose"] = bench.r.getrandbits(1)
        models[bank].weights = models[1 - bank].weights
        models[bank].run(setting, issues)
        dut.bank.value = bank
        by_cycle = dict(issues)
        for cycle in range(max(by_cycle) + models[0].latency + 1):
            await bench.cycle(setting=setting, issue=by_cycle.get(cycle, {}), **bench.beside(bank))
            assert bench.errors() == (0, 0)
        await bench.compare(bank, f"{setting}: ")
    await bench.compare(0)
    await bench.compare(1)


@cocotb.test()
async def errors_are_seen(dut):
    bench = Bench(dut)
    await start(dut)
    x, w, s, _ = bench.sizes.values()
    values, x = x * bench.cfg.lanes, x * bench.cfg.x_units(bench.unit)
    stream, local = ({"opcode": Opcode.STREAM}, {"opcode": Opcode.LOCAL, "operand": Operand.ROWS})
    value = local | {"operand": Operand.VALUE}
    ranges = [
        (stream, {"issue": {"valid": 1, "x": x}}), (stream, {"issue": {"valid": 1, "s": s}}),
        (stream, {"issue": {"valid": 1, "write": 1, "to": s}}),
        (stream, {"issue": {"take": 1, "w": w}}), (local, {"issue": {"valid": 1, "w": w}}),
        (local, {"issue": {"valid": 1, "x": x}}), (value, {"issue": {"valid": 1, "x": values}}),
        ({"opcode": Opcode.POOL}, {"issue": {"valid": 1, "w": w}}),
        *((stream, {"fill": {"valid": 1, "buffer": buffer, "word": size}})
          for buffer, size in bench.sizes.items()),
        (stream, {"fetch": {"valid": 1, "word": s}}),
    ]
    for setting, given in ranges:
        await bench.cycle(setting=setting, **given)
        assert int(dut.range_error.value) == 1, f"{setting} {given}"
    harmless = [
        (stream, {"valid": 1, "x": x, "x_zero": 1}), (stream, {"x": x, "w": w, "s": s, "to": s}),
        (stream, {"valid": 1, "init": Init.ZERO, "s": s, "w": w}),
        (local, {"valid": 1, "w": w, "w_zero": 1, "s": s, "to": s}),
        (value, {"valid": 1, "x": values - 1}),
        ({"opcode": Opcode.POOL}, {"valid": 1, "index": 1, "w": w, "x": x}),
    ]
    for setting, issue in harmless:
        await bench.cycle(setting=setting, issue=issue)
        assert bench.errors() == (0, 0), f"{setting} {issue}"
    for bank in range(2):
        dut.bank.value = bank
        for dma, both in ((dma, both) for dma in range(2) for both in range(4)):
            given = {"fetch": {"valid": both & 1, "bank": dma},
                     "fill": {"valid": both >> 1, "buffer": Buffer.S0 + dma}}
            await bench.cycle(setting=stream, issue={"valid": 1}, **given)
            assert int(dut.bank_error.value) == (both != 0 and dma == bank)
            await bench.cycle(setting=stream, **given)
            assert int(dut.bank_error.value) == 0
