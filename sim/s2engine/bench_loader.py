"""Bench of Loader: every output in every cycle, beside golden, over random passes and lines."""
import cocotb

from golden.s2engine.loader import BIAS, FEATURE, WEIGHT, Loader, runs
from hw.common.stationary.descriptor import FIELDS
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, reset, rng, start
from sim.common.lockstep import lockstep


def random_pass(random, config):
    """A descriptor's fields, those that the loader reads."""
    size, tiles = random.randint(1, config.rows), random.randint(1, 3)
    fields = {
        "tiles": tiles, "tile_pixels": size, "line_pixels": random.randint(1, 2 * config.rows + 1),
        "tile_more": random.randint(0, tiles - 1) if size < config.rows else 0,
        "channel_groups": random.randint(1, 2), "kernel_rows": random.randint(1, 2),
        "kernel_cols": random.choice([1, 2, 3, 7]), "stride": random.randint(1, 4),
        "slots": 1 + config.mixed * random.getrandbits(1), "ce": int(random.random() < 0.7),
        "w_stream": random.getrandbits(1), "f_loads": random.choice([1, 1, 2]),
        "kernels": random.randint(1, config.max_kernels), "weight_lines": random.randint(1, 9)}
    fields["bias_lines"] = -(-fields["kernels"] // config.biases_per_line)
    for name in ("bias", "weight", "feature"):
        fields[f"{name}_addr"] = random.getrandbits(30)
    for name, bits in (("group", 12), ("row", 10), ("residue", 8)):
        fields[f"{name}_lines"] = random.getrandbits(bits)
    return fields


def packed(fields):
    """The descriptor as the word of its port."""
    word = at = 0
    for name, bits in FIELDS:
        word |= fields.get(name, 0) << at
        at += bits
    return word


def random_line(random, config, kind):
    """A line's content."""
    line = random.getrandbits(config.line_content_bits)
    if kind == WEIGHT:
        header = (random.randrange(config.cols) | random.randrange(config.weights_per_line) << 8
                  | random.getrandbits(1) << 15)
        line = line >> 16 << 16 | header
    if kind == FEATURE:         # one EOG at most in two of three lines, so that groups are long
        for n in range(config.group):
            if random.random() < 0.9:
                line &= ~(1 << n * config.feature_bits + 8 + config.offset_bits)
    return line


@cocotb.test()
@cocotb.parametrize(stalls=[(0.0,), (0.0, 0.3, 0.7)])
async def lockstep_with_golden(dut, stalls):
    config, random = bench_config(S2Config), rng(str(stalls))
    kinds, whole = set(), 0
    await start(dut)
    for _ in range(8):
        fields = random_pass(random, config)
        made = list(runs(fields, config))
        lines = iter([random_line(random, config, run.kind) for run in made
                      for _ in range(run.lines)])
        kinds |= {run.kind for run in made}
        dut.layer.value, dut.start.value = packed(fields), 0
        await reset(dut)
        model = Loader(fields, config)
        begin = iter([0, 1])
        await lockstep(dut, model, 700, random, {"line": lambda r, n=lines: next(n, None)},
                       stalls=stalls, p_reset=0, controls={"start": lambda r, b=begin: next(b, 0)})
        whole += next(lines, None) is None and not model.waiting
    assert kinds == {BIAS, WEIGHT, FEATURE} and whole > 3, (kinds, whole)


@cocotb.test()
async def a_line_for_no_column(dut):
    config, random = bench_config(S2Config), rng("bad")
    await start(dut)
    for header in (config.cols, config.weights_per_line << 8):
        fields = random_pass(random, config) | {"w_stream": 0}
        dut.layer.value, dut.start.value = packed(fields), 0
        await reset(dut)
        lines = iter([*[0] * fields["bias_lines"], header])
        begin, model = iter([0, 1]), Loader(fields, config)
        await lockstep(dut, model, 400, random, {"line": lambda r, n=lines: next(n, None)},
                       stalls=(0.0,), p_reset=0, controls={"start": lambda r, b=begin: next(b, 0)})
        assert int(dut.error.value) == 1
