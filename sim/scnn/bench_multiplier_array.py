"""Bench of MultiplierArray: every output in every cycle, beside golden."""
import cocotb

from golden.scnn.multiplier_array import MultiplierArray
from hw.scnn.config import SCNNConfig
from hw.scnn.multiplier_array import operands_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.common.lockstep import lockstep


def operands(config, r):
    """A word: zeros, extremes, anything; addresses that wrap included."""
    bound = 1 << config.data_bits - 1

    def value():
        return r.choice([0, -bound, bound - 1, r.randrange(-bound, bound)])

    def address():
        return r.randrange(1 << config.acc_addr_bits)

    return operands_layout(config).const({
        "weights": [{"value": value(), "offset": address()} for _ in range(config.mults_f)],
        "activations": [{"value": value(), "address": address()} for _ in range(config.mults_i)],
    }).as_value().value


@cocotb.test()
@cocotb.parametrize(shift=[0, 3, -1])
async def lockstep_with_golden(dut, shift):
    config = bench_config(SCNNConfig)
    shift %= 2 * config.data_bits
    await start(dut)
    dut.product_shift.value = shift
    await lockstep(dut, MultiplierArray(config, shift), 250, rng(),
                   {"i": lambda r: operands(config, r)})


@cocotb.test()
async def full_rate(dut):
    config, r = bench_config(SCNNConfig), rng()
    await start(dut)
    sender = cocotb.start_soon(send(dut, "i", [operands(config, r) for _ in range(20)]))
    _, cycles = await recv(dut, "o", 20)
    await sender
    assert cycles == 20 + 2
