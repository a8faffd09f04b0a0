"""Bench of MAC: every output in every cycle, beside golden."""
import cocotb

from golden.s2engine.mac import MAC
from golden.s2engine.tokens import Pair, pack_pair
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, rng, start
from sim.common.lockstep import lockstep
from sim.s2engine.flows import Packed


def entries(config):
    """Entries that DS may give: halves or whole values, with extremes; or the end alone."""
    def entry(random):
        if random.random() < 0.15:
            return Pair(last=1)

        def operand():
            low = config.mixed and random.random() < 0.3
            edges = [0, 1, 255] if low else [-128, -1, 127]
            return random.choice([*edges, random.randrange(256) - 128 * (not low)])
        highs = random.randrange(3) if config.mixed else 0
        return Pair(operand(), operand(), highs, 1, int(random.random() < 0.3))
    return entry


def every(ratio):
    """1 in every ``ratio``-th cycle."""
    cycle = -1

    def enable(random):
        nonlocal cycle
        cycle += 1
        return int(cycle % ratio == 0)
    return enable


@cocotb.test()
@cocotb.parametrize(p_room=[1.0, 0.3])
async def lockstep_with_golden(dut, p_room):
    config, random = bench_config(S2Config), rng(p_room)
    packed = Packed(MAC(config.acc_bits), {"i": lambda pair: pack_pair(pair, config)})
    await start(dut)
    await lockstep(dut, packed, 2000, random, {"i": packed.source("i", entries(config))},
                   controls={"enable": every(config.ratio),
                             "room": lambda r: int(r.random() < p_room)})
