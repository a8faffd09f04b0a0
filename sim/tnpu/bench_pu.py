"""Bench of PUc and PUf: random instructions on memories in Python; each write to S, its cycle."""
import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.tnpu import pu as golden
from hw.tnpu.layouts import issue_layout, setting_layout
from sim.common.bench import bench_config, rng, start
from sim.tnpu.issues import instructions
from sim.tnpu.operands import random_pairs

WORDS = 24


def numbers(words, lanes, r):
    """Mostly numbers whose sums are of interest, some of any kind, some small integers."""
    r = np.random.default_rng(r.randrange(1 << 30))
    values = r.normal(size=(words, lanes)).astype(np.float32).view(np.uint32)
    odd = random_pairs(words * lanes, int(r.integers(1 << 30)))[0].reshape(words, lanes)
    few = r.integers(0, 3, (words, lanes), np.uint32)
    kind = r.random((words, lanes))
    return np.where(kind < 0.7, values, np.where(kind < 0.8, odd, few))


class Memory:
    """A memory with a read port: data a cycle after their address."""

    def __init__(self, addr, data, words):
        self.addr, self.data, self.words = addr, data, words

    def serve(self):
        """Of the cycle that ends now."""
        for lane, data in enumerate(self.data):
            addr = self.addr[lane % len(self.addr)].value
            if addr.is_resolvable and int(addr) < len(self.words):
                data.value = int(self.words[int(addr), lane])


def packer(layout):
    """A function that packs a dict of fields, faster than ``layout.const``; others are 0."""
    places = {name: field.offset for name, field in layout}
    return lambda fields: sum(int(value) << places[name] for name, value in fields.items())


def word(dut, name, lanes):
    return [getattr(dut, f"{name}__{k}") for k in range(lanes)]


@cocotb.test()
async def writes_equal_golden(dut):
    config = bench_config()
    cfg, unit, lanes = config["cfg"], config["unit"], config["cfg"].lanes
    r = rng()
    image = golden.Memories(*(numbers(WORDS, lanes, r) for _ in range(3)))
    model = golden.PU(cfg, unit, golden.Memories(image.x, image.w, image.s.copy()))
    memories = [Memory(word(dut, "x_addr", lanes), word(dut, "x_data", lanes), image.x),
                Memory([dut.w_addr], word(dut, "w_data", lanes), image.w),
                Memory([dut.s_addr], word(dut, "s_data", lanes), image.s)]
    sums = word(dut, "sums__data", lanes)
    settings, issues = packer(setting_layout()), packer(issue_layout(cfg, unit))
    await start(dut)
    for setting, todo in instructions(cfg, unit, WORDS, config["count"], r):
        expected = model.run(setting, todo)
        by_cycle = dict(todo)
        dut.setting.value = settings(setting)
        written = []
        for cycle in range(max(by_cycle) + model.latency + 2):
            dut.issue.value = issues(by_cycle.get(cycle, {}))
            await RisingEdge(dut.clk)
            for memory in memories:
                memory.serve()
            if dut.sums__en.value == 1:
                values = [int(total.value) for total in sums]
                image.s[int(dut.sums__addr.value)] = values
                written.append((cycle, int(dut.sums__addr.value), values))
                nans = np.isnan(np.array(values, np.uint32).view(np.float32)).sum()
                assert int(dut.nans.value) == nans
            else:
                assert dut.nans.value == 0
        assert len(written) == len(expected), f"{setting}: {len(written)} writes"
        for got, want in zip(written, expected, strict=True):
            assert got == tuple(want), f"{setting}: {got}, not {want}"
