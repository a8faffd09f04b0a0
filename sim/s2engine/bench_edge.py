"""Bench of Edge: every output in every cycle, beside golden, over random passes."""
import cocotb
from cocotb.triggers import RisingEdge

from golden.s2engine.edge import Edge, EdgeLayer
from golden.s2engine.tokens import pack_result
from hw.common.stationary.edge import EDGE_FIELDS, bias_layout
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, pulse, reset, rng, start
from sim.common.lockstep import lockstep
from sim.s2engine.flows import Packed


def random_layer(random, config):
    """A pass of any shape, of up to four kernel tiles."""
    tiles = random.randint(1, 4)
    width = random.randint(1, config.cols)
    more = random.randint(0, tiles - 1) if width < config.cols else 0
    while tiles * width + more > config.max_kernels:
        tiles, more = 1, 0
    pixels = random.randint(1, config.rows)
    return EdgeLayer(
        pixels, random.randint(0, 3) if pixels < config.rows else 0, tiles, width, more,
        random.choice([1, random.getrandbits(16)]), random.randint(0, config.acc_bits + 17),
        random.randint(2, config.data_bits), random.getrandbits(1))


def packed_fields(layer):
    """The layer as the word of its port."""
    word = at = 0
    for (name, bits), value in zip(EDGE_FIELDS.items(), layer, strict=True):
        assert value < 1 << bits, name
        word |= value << at
        at += bits
    return word


def value(random, config):
    """A sum: small, large, extreme."""
    half = 1 << config.acc_bits - 1
    return random.choice([random.randrange(-half, half), random.randrange(-200, 200), -half,
                          half - 1])


@cocotb.test()
@cocotb.parametrize(stalls=[(0.0,), (0.0, 0.3, 0.7, 1.0)])
async def lockstep_with_golden(dut, stalls):
    config, random = bench_config(S2Config), rng(str(stalls))
    groups = set()
    await start(dut)
    for _ in range(6):
        layer, row = random_layer(random, config), random.randrange(config.rows)
        biases = [value(random, config) for _ in range(config.max_kernels)]
        dut.i__valid.value = 0
        await reset(dut)
        for kernel, bias in enumerate(biases):
            dut.bias.value = bias_layout(config).const(
                {"valid": 1, "kernel": kernel, "value": bias}).as_bits()
            await RisingEdge(dut.clk)
        dut.bias.value, dut.row.value, dut.layer.value = 0, row, packed_fields(layer)
        await pulse(dut.clk, dut.start)
        packed = Packed(Edge(layer, config, row, biases), {
            "i": lambda word: pack_result(word, config),
            "o": lambda values: sum((v & (1 << config.data_bits) - 1) << n * config.data_bits
                                    for n, v in enumerate(values))})
        words = packed.source("i", lambda r: (value(r, config), 0))
        await lockstep(dut, packed, 300, random, {"i": words}, stalls=stalls, p_reset=0)
        groups.add((layer.kernel_tiles * layer.tile_kernels + layer.kernels_more) % config.group)
    assert len(groups) > 1
