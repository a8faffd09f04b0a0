"""Bench of BufferController: every issue and every take in its cycle, beside golden."""
import cocotb
from cocotb.triggers import RisingEdge

from golden.tnpu.nest import duration, issues, takes
from hw.tnpu.instruction import Opcode
from hw.tnpu.layouts import instruction_layout, issue_layout
from sim.common.bench import bench_config, rng, start
from sim.tnpu.instructions import random_instruction


def check(layout, got, expected, about):
    for name, value in expected.items():
        want = int(value) % (1 << layout[name].width)
        assert int(getattr(got, name)) == want, (about, name, int(getattr(got, name)), want)


@cocotb.test()
async def random_instructions(dut):
    (config, unit), r = bench_config(), rng()
    layout = issue_layout(config, unit)
    await start(dut)
    for _ in range(60):
        given = random_instruction(r, config, unit)
        stream = given["opcode"] == Opcode.STREAM
        expected = dict(issues(given, config, unit))
        reads = dict(takes(given, config, unit)) if stream else {}
        total = duration(given, config, unit)
        dut.instruction.value = instruction_layout().const(given).as_value().value
        dut.start.value = 1
        await RisingEdge(dut.clk)
        dut.start.value = 0
        for cycle in range(1, total):
            await RisingEdge(dut.clk)
            got = layout.from_bits(int(dut.issue.value))
            assert bool(got.valid) == (cycle in expected), (cycle, given)
            check(layout, got, reads.get(cycle, {"take": 0}), (cycle, given))
            if cycle in expected:
                fields = expected[cycle]
                check(layout, got, {k: v for k, v in fields.items() if k != "w" or not stream},
                      (cycle, given))
            assert int(dut.busy.value) == 1
            assert int(dut.done.value) == (cycle == total - 1), (cycle, total)
        for _ in range(r.choice([0, 0, 1, 3])):
            await RisingEdge(dut.clk)
            assert int(dut.busy.value) == 0
