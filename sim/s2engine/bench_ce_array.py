"""Bench of CEArray: every row gets the groups of its pixel, and FB is read as often as it must."""
import itertools
import random as randoms

import cocotb
from cocotb.triggers import RisingEdge

from golden.s2engine import ce
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, reset, rng, start
from sim.s2engine.flows import encode, packers, random_values


class Layer:
    """A tile: chains of neighbouring pixels, a kernel, a stride; its inputs as tokens."""

    def __init__(self, config, random, chains, shape, stride, *, density=None, reuse=True):
        self.groups = ce.order(*shape, stride)
        self.commands = ce.commands(chains, config.rows, self.groups, stride, shape[2], reuse)
        self.rows, made = [], {}
        for number, length in enumerate(chains):
            for n in range(length):
                flow = []
                for group in self.groups:
                    place = number, group.channel_group, group.kernel_row, \
                        n * stride + group.kernel_col
                    if place not in made:
                        values = random_values(random, config.group,
                                               random.random() if density is None else density,
                                               config.mixed * random.choice([0, 1]))
                        if density == 1:        # all of them, the longest group that there is
                            values = [value or 1 for value in values]
                        made[place] = encode(values, config.group)
                    flow.append(made[place])
                self.rows.append(flow)
        idle = config.rows - len(self.rows)
        self.rows += [[[ce.PLACEHOLDER]] * len(self.groups)] * idle
        self.places = len(made)

    def fb(self, row):
        """The tokens that FB gives a row."""
        return [token for group, command in zip(self.rows[row], self.commands[row], strict=True)
                if command.source == ce.FB for token in group]


async def run(dut, config, layer, random, p_stall):
    """The groups read from FB, and the cycles; fails if a row gets anything but its tokens."""
    pack = packers(config)["f_i"]
    words = {}
    for r in range(config.rows):
        words[f"fb__{r}"] = [pack(token) for token in layer.fb(r)]
        words[f"command__{r}"] = [c.source | c.keep << 2 for c in layer.commands[r]]
    expected = [[pack(t) for group in flow for t in group] for flow in layer.rows]
    got = [[] for _ in expected]
    at, offered = dict.fromkeys(words, 0), dict.fromkeys(words, False)
    reads = quiet = 0
    for cycle in itertools.count():
        if got == expected:
            break
        for name, flow in words.items():
            offered[name] |= at[name] < len(flow) and random.random() >= p_stall
            getattr(dut, f"{name}__valid").value = offered[name]
            if offered[name]:
                getattr(dut, f"{name}__payload").value = flow[at[name]]
        ready = [random.random() >= p_stall for _ in got]
        for r, value in enumerate(ready):
            getattr(dut, f"o__{r}__ready").value = value
        await RisingEdge(dut.clk)
        quiet += 1
        for name in words:
            if offered[name] and getattr(dut, f"{name}__ready").value == 1:
                at[name], offered[name], quiet = at[name] + 1, False, 0
        for r, row in enumerate(got):
            if ready[r] and getattr(dut, f"o__{r}__valid").value == 1:
                row.append(int(getattr(dut, f"o__{r}__payload").value))
                assert row == expected[r][:len(row)], f"row {r} got something else"
        reads += int(dut.reads.value)
        assert quiet < 500, f"nothing moves since cycle {cycle - quiet}"
    await RisingEdge(dut.clk)
    return reads + int(dut.reads.value), cycle


def fb_groups(layer):
    """How many groups come from FB."""
    return sum(command.source == ce.FB for row in layer.commands for command in row)


@cocotb.test()
async def figure_8(dut):
    """Three rows, 3 x 3 kernels, stride 1, two groups of channels: 30 reads instead of 54."""
    config, random = bench_config(S2Config), rng()
    await start(dut)
    for reuse, reads in ((True, 30), (False, 54)):
        layer = Layer(config, random, [3], (2, 3, 3), 1, reuse=reuse)
        await reset(dut)
        assert (await run(dut, config, layer, random, 0))[0] == reads
        if reuse:
            assert reads == layer.places        # no group is read twice


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.5])
async def any_kernel_and_stride(dut, p_stall):
    config, random = bench_config(S2Config), rng(p_stall)
    await start(dut)
    for _ in range(12):
        chains, left = [], random.randint(1, config.rows)
        while left:
            chains.append(random.randint(1, left))
            left -= chains[-1]
        shape = random.randint(1, 2), random.randint(1, 3), random.choice([1, 2, 3, 5, 7, 11])
        layer = Layer(config, random, chains, shape, random.randint(1, 4))
        await reset(dut)
        reads, _ = await run(dut, config, layer, random, p_stall)
        assert reads == fb_groups(layer)


@cocotb.test()
async def dense_groups_fit(dut):
    """Dense groups, the longest that there are, pass at a token per cycle and row."""
    config, random = bench_config(S2Config), randoms.Random(5)
    await start(dut)
    layer = Layer(config, random, [config.rows], (2, 2, 3), 1, density=1)
    _, cycles = await run(dut, config, layer, random, 0)
    tokens = max(sum(len(group) for group in flow) for flow in layer.rows)
    # A row's token may wait for the row above to take what it held a period before, in turn.
    assert tokens <= cycles <= tokens + config.rows * config.hold_depth
