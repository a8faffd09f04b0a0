"""Bench of Join: words of all inputs together; rate; every output in every cycle."""
import cocotb

from golden import streams
from hw.common.stream.join import join_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.common.lockstep import lockstep


@cocotb.test()
async def lockstep_with_golden(dut):
    widths = bench_config()["widths"]
    words = {f"i_{k}": lambda r, width=width: r.getrandbits(width)
             for k, width in enumerate(widths)}
    await start(dut)
    await lockstep(dut, streams.Join(widths), 500, rng(), words, stalls=(0.0, 0.05, 0.3))


@cocotb.test()
@cocotb.parametrize(p_send=[0.0, 0.3], p_recv=[0.0, 0.5])
async def words_meet(dut, p_send, p_recv):
    widths, random = bench_config()["widths"], rng()
    layout, count = join_layout(widths), 30
    words = [[random.getrandbits(width) for _ in range(count)] for width in widths]

    await start(dut)
    for k, column in enumerate(words):
        cocotb.start_soon(send(dut, f"i_{k}", column, rng(1 + k), p_send))
    got, cycles = await recv(dut, "o", count, rng(0), p_recv)

    assert got == [layout.const(dict(enumerate(row))).as_bits()
                   for row in zip(*words, strict=True)]
    assert p_send or p_recv or cycles == count
