"""Bench of PEArray: sums and, where nothing stalls at the edges, cycles and causes as golden's."""
import os

import cocotb
from cocotb.triggers import RisingEdge

from golden.s2engine.stepped import Array
from golden.s2engine.tokens import wrap
from hw.s2engine.config import S2Config
from sim.common.bench import PATIENCE, bench_config, reset, rng, start
from sim.s2engine.flows import joined, packers, random_kernels

CAUSES = 6


class Edges:
    """Drives and watches all edges of the array, in one loop."""

    def __init__(self, dut, config, w, f):
        self.dut, self.config, pack = dut, config, packers(config)
        self.words = {**{f"w__{c}": [pack["w_i"](t) for t in flow] for c, flow in enumerate(w)},
                      **{f"f__{r}": [pack["f_i"](t) for t in flow] for r, flow in enumerate(f)}}
        self.results = [[] for _ in f]
        self.causes = [0] * CAUSES
        self.cycle = 0

    def _part(self, name, part):
        return getattr(self.dut, f"{name}__{part}")

    async def run(self, count, random, p_stall):
        """Until every row has given ``count`` results; fails if nothing comes for too long."""
        at, offered, quiet = dict.fromkeys(self.words, 0), dict.fromkeys(self.words, False), 0
        while any(len(row) < count for row in self.results):
            for name, words in self.words.items():
                if not offered[name] and at[name] < len(words) and random.random() >= p_stall:
                    offered[name] = True
                    self._part(name, "payload").value = words[at[name]]
                self._part(name, "valid").value = offered[name]
            ready = [random.random() >= p_stall for _ in self.results]
            for r, value in enumerate(ready):
                self._part(f"r__{r}", "ready").value = value
            await self._edge()
            for name in self.words:
                if offered[name] and self._part(name, "ready").value == 1:
                    offered[name], at[name] = False, at[name] + 1
            quiet += 1
            for r, row in enumerate(self.results):
                if ready[r] and self._part(f"r__{r}", "valid").value == 1:
                    word = int(self._part(f"r__{r}", "payload").value)
                    assert word >> self.config.acc_bits == (
                        (len(row) + 1) % self.config.cols == 0), "tail is off"
                    row.append((wrap(word, self.config.acc_bits), self.cycle - 1))
                    quiet = 0
            assert quiet < PATIENCE // 20, f"no result for {quiet} cycles"

    async def _edge(self):
        self.dut.mac_enable.value = self.cycle % self.config.ratio == 0
        await RisingEdge(self.dut.clk)
        word, bits = int(self.dut.causes.value), self.config.pes.bit_length()
        if self.cycle >= 2:
            for n in range(CAUSES):
                self.causes[n] += word >> n * bits & (1 << bits) - 1
        self.cycle += 1

    async def settle(self):
        """The two cycles by which causes are late."""
        for _ in range(2):
            await self._edge()


def sums(w, f, config):
    """What each row must give: kernel by kernel, column by column."""
    return [[wrap(sum(a * b for a, b in zip(column[k], row[k], strict=True)), config.acc_bits)
             for k in range(len(row)) for column in w] for row in f]


async def once(dut, config, random, kernels, p_stall):
    """One run after a reset: tensors, golden's sums, golden's cycles."""
    both = random_kernels(random, config, config.cols + config.rows, kernels)
    w, f = both[:config.cols], both[config.cols:]
    w_flows = [joined(flow, config, eok=True) for flow in w]
    f_flows = [joined(flow, config, eok=False) for flow in f]
    edges = Edges(dut, config, w_flows, f_flows)
    await reset(dut)
    await edges.run(kernels * config.cols, random, p_stall)
    assert [[value for value, _ in row] for row in edges.results] == sums(w, f, config)
    if p_stall == 0:
        await edges.settle()
        model = Array(w_flows, f_flows, config).run()
        assert edges.results == model.results
        assert edges.causes == model.causes, (edges.causes, model.causes)


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.3, 0.8])
async def random_flows(dut, p_stall):
    config, random = bench_config(S2Config), rng(p_stall)
    await start(dut)
    for _ in range(int(os.environ.get("ARRAY_RUNS", 3))):
        await once(dut, config, random, random.choice([1, 3, 6]), p_stall)
