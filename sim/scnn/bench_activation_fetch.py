"""Bench of ActivationFetch with its ActivationRAM: every output in every cycle, beside golden."""
import cocotb
from cocotb.triggers import RisingEdge

from golden.scnn.activation_fetch import ActivationFetch
from hw.scnn.activation_ram import write_layout
from hw.scnn.config import SCNNConfig
from sim.common.bench import bench_config, recv, rng, send, start
from sim.common.lockstep import lockstep


def random_channels(config, r):
    """Channel -> rows of (value, run): short ones and long ones, all of them in the RAM."""
    channels, space = {}, config.ram_rows
    for channel in r.sample(range(config.max_channels), min(config.max_channels, 12)):
        count = min(space, r.choice([1, 1, 2, 3, 9]))
        if not count:
            break
        space -= count
        channels[channel] = [[_element(config, r) for _ in range(config.mults_i)]
                             for _ in range(count)]
    return channels


def _element(config, r):
    bound = 1 << config.data_bits - 1
    value = r.choice([0, -bound, bound - 1, r.randrange(-bound, bound), r.randrange(-bound, bound)])
    return value, r.choice([0, 0, 0, 1, r.randrange(1 << config.index_bits)])


def addresses(rows, base, kc):
    """Addresses of the values of a channel that are not 0."""
    position = -1
    for value, run in (element for row in rows for element in row):
        position += run + 1
        if value:
            yield base + position * kc


async def load(dut, config, channels):
    """Writes the channels into the RAM."""
    for channel, rows in channels.items():
        for n, row in enumerate(rows):
            dut.write.value = write_layout(config).const({
                "valid": 1, "has_row": 1, "last": n == len(rows) - 1, "channel": channel,
                "row": [{"value": v, "run": run} for v, run in row]}).as_value().value
            await RisingEdge(dut.clk)
    dut.write.value = 0


@cocotb.test()
@cocotb.parametrize(stalls=[(0.0,), (0.0, 0.3, 0.8)])
async def lockstep_with_golden(dut, stalls):
    config, r = bench_config(SCNNConfig), rng()
    channels = random_channels(config, r)
    kc, base = r.randint(1, config.max_kc), r.randrange(config.acc_depth // 2)
    # Addresses are checked while they mean something: in range, or not too far out.
    near = [c for c, rows in channels.items()
            if sum(run + 1 for row in rows for _, run in row) < 1 << config.acc_addr_bits]
    limit = r.choice([a for c in near for a in addresses(channels[c], base, kc)
                      if a <= config.acc_depth] or [config.acc_depth])
    model = ActivationFetch(config, channels, base, kc, limit)
    await start(dut)
    dut.kc.value, dut.base.value, dut.limit.value = kc, base, limit
    await load(dut, config, channels)
    await lockstep(dut, model, 1000, r, {"i": lambda r: r.choice(near)}, stalls=stalls, p_reset=0)
    assert model.errors


@cocotb.test()
async def full_rate_and_first_row(dut):
    """A channel per cycle where each has one row; the first row is there four cycles later."""
    config, r = bench_config(SCNNConfig), rng()
    count = min(config.max_channels, config.ram_rows, 30)
    channels = {c: [[_element(config, r) for _ in range(config.mults_i)]] for c in range(count)}
    await start(dut)
    await load(dut, config, channels)
    sender = cocotb.start_soon(send(dut, "i", list(channels)))
    _, cycles = await recv(dut, "o", count)
    await sender
    assert cycles == count + 4


@cocotb.test()
async def far_positions_are_errors(dut):
    """However far out a value lies, it is an error, and nothing wraps into the window."""
    config = bench_config(SCNNConfig)
    gap = (0, (1 << config.index_bits) - 1)
    rows = [[gap] * config.mults_i for _ in range(config.ram_rows - 1)]
    rows.append([(1, 0)] + [(0, 0)] * (config.mults_i - 1))
    await start(dut)
    dut.kc.value, dut.limit.value = config.max_kc, config.acc_depth
    await load(dut, config, {0: rows})
    await send(dut, "i", [0])
    dut.o__ready.value = 1
    errors = []
    for _ in range(len(rows) + 5):
        await RisingEdge(dut.clk)
        errors.append(int(dut.range_error.value))
    assert sum(errors) == 1, errors
