"""Bench of the PE: random controls and operands in every cycle."""
import cocotb
from cocotb.triggers import RisingEdge

from golden.tnpu import pe as golden
from hw.tnpu.layouts import ctrl_layout
from sim.common.bench import bench_config, rng, start
from sim.tnpu.bench_pu import packer
from sim.tnpu.operands import random_pairs


def steps(cfg, bits, count, r, operands=None):
    """Random steps; sums of slots are read often enough to feed each other. `operands`: what small
    numbers are drawn from."""
    if bits == 32:
        a, b = random_pairs(count, r.randrange(1 << 30))
        p_in = random_pairs(count, r.randrange(1 << 30))[0]
        numbers = zip(a.tolist(), b.tolist(), p_in.tolist(), strict=True)
    else:
        numbers = (r.choices(operands, k=3) for _ in range(count))
    for a, b, p_in in numbers:
        x = r.choice((golden.P_IN, golden.ZERO, golden.SLOT, 3))
        y = r.choice((golden.PRODUCT, golden.PRODUCT, golden.NOTHING, golden.SLOT, 3))
        yield golden.Step(a, b, p_in, x, y, r.randrange(cfg.slots), r.getrandbits(1),
                          r.getrandbits(1), r.random() < 0.2, r.random() < 0.3)


@cocotb.test()
async def every_cycle_equals_golden(dut):
    config = bench_config()
    cfg, bits = config["cfg"], config.get("bits", 32)
    todo = list(steps(cfg, bits, config.get("cycles", 3000), rng(),
                      config.get("operands")))
    arithmetic = {name: (lambda a, b, table=table: table[a][b])
                  for name, table in config.get("tables", {}).items()}
    expected = golden.outputs(todo, cfg.mul_latency, cfg.add_latency, bits, **arithmetic)
    assert len(expected) > len(todo) * 3 // 4
    pack = packer(ctrl_layout(cfg))
    await start(dut)
    for t, step in enumerate(todo):
        numbers, ctrl = step[:3], dict(zip(golden.Step._fields[3:], step[3:], strict=True))
        dut.a.value, dut.b.value, dut.p_in.value = numbers
        dut.ctrl.value = pack(ctrl)
        await RisingEdge(dut.clk)
        if t in expected:
            assert int(dut.o.value) == expected[t], \
                f"cycle {t}: {int(dut.o.value):#x}, not {expected[t]:#x}"
