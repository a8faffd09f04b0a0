"""Bench of Accumulators: every output in every cycle, beside golden; then every sum."""
import cocotb
from cocotb.triggers import RisingEdge

from golden.scnn.accumulator import Accumulators
from hw.scnn.accumulator import fill_layout, receive_layout, send_layout
from hw.scnn.config import SCNNConfig
from sim.common.bench import bench_config, rng, start
from sim.common.lockstep import lockstep


class Drive:
    """Draws all inputs of a cycle at once, for the model and for the ports."""

    def __init__(self, config, model):
        self.config, self.model, self.select = config, model, 0
        self.controls = {"select": self._draw, **{
            f"fill__{n}": self._fill(n) for n in range(config.acc_banks)},
            "send": self._struct("send", send_layout(config)),
            "receive": self._struct("receive", receive_layout(config)),
            "clear": lambda r: self.model.now["clear"],
            "clear_entry": lambda r: self.model.now["clear_entry"]}

    def _draw(self, r):
        config = self.config
        bound = 1 << config.acc_bits - 1
        self.select ^= r.random() < 0.05
        hot = r.randrange(min(4, config.acc_entries))     # the same few entries again and again

        def value():
            return r.choice([-bound, bound - 1, r.randrange(-bound, bound)])

        clear = r.random() < 0.03
        self.model.now = {
            "select": self.select,
            "fill": [(r.random() < 0.7, hot, value()) for _ in range(config.acc_banks)],
            "send": {"enable": not clear and r.random() < 0.7, "zero": r.random() < 0.5,
                     "address": r.randrange(config.acc_depth)},
            "receive": {"enable": not clear and r.random() < 0.7, "value": value(),
                        "address": r.randrange(config.acc_depth)},
            "clear": clear, "clear_entry": r.randrange(config.acc_entries),
        }
        return self.select

    def _fill(self, n):
        layout = fill_layout(self.config)
        mask = (1 << self.config.acc_bits) - 1

        def word(r):
            valid, entry, value = self.model.now["fill"][n]
            return valid | entry << 1 | (value & mask) << layout["value"].offset
        return word

    def _struct(self, name, layout):
        def word(r):
            return layout.const({k: int(v) for k, v in self.model.now[name].items()}
                                ).as_value().value
        return word


@cocotb.test()
async def lockstep_with_golden(dut):
    config = bench_config(SCNNConfig)
    model = Accumulators(config)
    drive = Drive(config, model)
    await start(dut)
    await lockstep(dut, model, 600, rng(), {}, controls=drive.controls, p_reset=0)
    assert model.conflicts
    for n in range(config.acc_banks):
        getattr(dut, f"fill__{n}").value = 0
    dut.receive.value = dut.clear.value = 0
    sums = await read_all(dut, config)
    for select in range(2):
        for address in range(config.acc_depth):
            expected = int(model.sums[(1 - select, *model.place(address))])
            assert sums[select][address] == expected % (1 << config.acc_bits), (select, address)


async def read_all(dut, config):
    """Every sum, by ``select`` and address."""
    sums = [[], []]
    for select in range(2):
        dut.select.value = select
        for address in range(config.acc_depth):
            dut.send.value = send_layout(config).const(
                {"enable": 1, "address": address}).as_value().value
            await RisingEdge(dut.clk)
            sums[select].append(int(dut.sum.value))
    dut.send.value = 0
    return sums


async def every_entry(dut, config, select, clear):
    """Clears the buffer that drains, or adds 1 to every sum of the one that fills."""
    dut.select.value, dut.clear.value = select, clear
    for entry in range(config.acc_entries):
        dut.clear_entry.value = entry
        for n in range(config.acc_banks):
            getattr(dut, f"fill__{n}").value = (not clear) | entry << 1 | 2 << config.entry_bits
        await RisingEdge(dut.clk)
    dut.clear.value = 0
    for n in range(config.acc_banks):
        getattr(dut, f"fill__{n}").value = 0


@cocotb.test()
async def clears_a_buffer(dut):
    """acc_entries cycles zero every sum of the buffer that drains, and no sum of the other."""
    config = bench_config(SCNNConfig)
    await start(dut)
    for select in range(2):
        await every_entry(dut, config, select, clear=1)
    for select in range(2):
        await every_entry(dut, config, select, clear=0)
    await every_entry(dut, config, 0, clear=1)
    assert await read_all(dut, config) == [[0] * config.acc_depth, [1] * config.acc_depth]
