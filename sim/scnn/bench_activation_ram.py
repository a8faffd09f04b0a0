"""Bench of ActivationRAM: every output in every cycle, beside golden."""
import cocotb

from golden.scnn.activation_ram import ActivationRAM
from hw.scnn.config import SCNNConfig
from sim.common.bench import bench_config, rng, start
from sim.common.lockstep import lockstep


@cocotb.test()
@cocotb.parametrize(p_last=[0.0, 0.05, 0.6])
async def lockstep_with_golden(dut, p_last):
    config = bench_config(SCNNConfig)
    model, row_width = ActivationRAM(config), config.mults_i * config.element_bits
    cycles = config.ram_rows + 600
    seen = {"overflow": 0, "clear": 0}

    def write(r):
        seen["overflow"] += model.overflow
        return ((r.random() < 0.9) | (r.random() < 0.9) << 1 | r.getrandbits(row_width) << 2
                | (r.random() < p_last) << 2 + row_width
                | r.randrange(config.max_channels) << 3 + row_width)

    def clear(r):
        cleared = model.overflow and r.random() < 0.05
        seen["clear"] += cleared
        return cleared

    def table(r):
        return r.choice([*model.table, 0]) if r.random() < 0.8 else r.randrange(config.max_channels)

    await start(dut)
    await lockstep(dut, model, cycles, rng(), {}, p_reset=0, controls={
        "write": write, "clear": clear, "table_addr": table,
        "row_addr": lambda r: r.randrange(max(1, min(config.ram_rows, len(model.rows) + 1)))})
    assert seen["overflow"] and seen["clear"], seen
