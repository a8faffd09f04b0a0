"""Bench of Bank: every output in every cycle, beside golden; good flows, then broken ones.

`config`: (S2Config, weights).
"""
import cocotb

from golden.s2engine import buffer
from golden.s2engine.buffer import Bank, Line, pack_line
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, reset, rng, start
from sim.common.lockstep import lockstep
from sim.s2engine.flows import Packed, encode, packers, random_values


def sections(random, config, weights, groups, kernels, breaks=0.0):
    """Lines of random sections, for ever; a share of the lines gets a fault."""
    size = config.weights_per_line if weights else config.group
    while True:
        lines = []
        for _ in range(kernels):
            made = [encode(random_values(random, config.group, random.random(),
                                         config.mixed * random.choice([0, 0.5])), config.group)
                    for _ in range(groups)]
            made[-1][-1] = made[-1][-1]._replace(eok=int(weights))
            if weights:
                flow = [token for group in made for token in group]
                lines += [Line(tuple(flow[n:n + size])) for n in range(0, len(flow), size)]
            else:
                for group in made:
                    parts = [group[n:n + size] for n in range(0, len(group), size)]
                    lines += [Line(tuple(part), close=int(part is parts[-1])) for part in parts]
        lines[-1] = lines[-1]._replace(end=1)
        for line in lines:
            yield broken(random, line, config) if random.random() < breaks else line


def broken(random, line, config):
    """The line with one field of one token changed."""
    n = random.randrange(len(line.tokens))
    token = line.tokens[n]
    change = random.choice([{"offset": random.randrange(1 << config.offset_bits)},
                            {"eog": 1 - token.eog}, {"value": 0}, {"eok": 1 - token.eok},
                            {"tag": (1 - token.tag) * config.mixed}])
    tokens = [*line.tokens[:n], token._replace(**change), *line.tokens[n + 1:]]
    return line._replace(tokens=tuple(tokens))


@cocotb.test()
@cocotb.parametrize(stalls=[(0.0,), (0.0, 0.3, 0.7, 1.0)])
async def lockstep_with_golden(dut, stalls):
    config, weights = bench_config()
    assert isinstance(config, S2Config)
    random, full, depth = rng(str(stalls)), 0, config.wb_tokens if weights else config.fb_tokens
    seen = set()
    pack = packers(config)["w_i" if weights else "f_i"]
    await start(dut)
    for replays, breaks in ((1, 0), (2, 0), (3, 0), *[(1, 0.1)] * 4):
        groups, kernels = random.randint(1, 3), random.randint(1, 3)
        if kernels * groups * config.hold_depth > depth:        # must fit to be replayed
            kernels = 1
        model = Bank(depth, config.group, weights)
        packed = Packed(model, {"i": lambda line: pack_line(line, config, weights), "o": pack})
        dut.replays.value, dut.groups.value, dut.kernels.value = replays, groups, kernels
        await reset(dut)
        lines = packed.source("i", sections(random, config, weights, groups, kernels,
                                               breaks))
        await lockstep(dut, packed, 200 if breaks else 700, random, {"i": lines}, stalls=stalls,
                       p_reset=0, controls={"replays": lambda r, n=replays: n,
                                            "groups": lambda r, n=groups: n,
                                            "kernels": lambda r, n=kernels: n})
        full += model.full
        seen.add(model.check.error)
    if len(stalls) > 1:
        assert full, "the ring was never full"
        assert buffer.NONE in seen and len(seen) > 1, f"no fault was found: {seen}"
