"""Bench of CE: every output in every cycle, beside golden."""
import cocotb

from golden.s2engine.ce import CE, EMPTY, FB, Command
from golden.s2engine.tokens import Token
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, rng, start
from sim.common.lockstep import lockstep
from sim.s2engine.flows import Packed, packers


@cocotb.test()
@cocotb.parametrize(stalls=[(0.0,), (0.0, 0.3, 0.7, 1.0)])
async def lockstep_with_golden(dut, stalls):
    config = bench_config(S2Config)
    feature = packers(config)["f_i"]

    def token(random):
        return Token(random.randrange(256), random.randrange(config.group),
                     random.randrange(2) if config.mixed else 0, int(random.random() < 0.1))

    def command(random):
        source = random.randrange(FB, EMPTY + 1)
        return Command(source, int(random.random() < 0.6))

    packed = Packed(CE(config.hold_depth), {
        **dict.fromkeys(("fb", "chain_i", "o", "chain_o"), feature),
        "command": lambda c: c.source | c.keep << 2})
    await start(dut)
    await lockstep(dut, packed, 2500, rng(str(stalls)), stalls=stalls, words={
        "command": packed.source("command", command), "fb": packed.source("fb", token),
        "chain_i": packed.source("chain_i", token)})
