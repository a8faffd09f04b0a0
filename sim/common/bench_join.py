"""Bench of Join: words of all inputs together; rate; every output in every cycle."""
import cocotb
from cocotb.triggers import RisingEdge

from golden import streams
from hw.common.stream.join import join_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.common.lockstep import lockstep


@cocotb.test()
async def each_input_is_waited_for(dut):
    count = len(bench_config()["widths"])
    await start(dut)
    dut.o__ready.value = 1
    for absent in (*range(count), None):
        for k in range(count):
            getattr(dut, f"i_{k}__valid").value = k != absent
        await RisingEdge(dut.clk)
        assert int(dut.o__valid.value) == (absent is None), absent
        for k in range(count):
            assert int(getattr(dut, f"i_{k}__ready").value) == (absent is None), (absent, k)


@cocotb.test()
async def lockstep_with_golden(dut):
    widths = bench_config()["widths"]
    words = {f"i_{k}": lambda r, width=width: r.getrandbits(width)
             for k, width in enumerate(widths)}
    await start(dut)
    await lockstep(dut, streams.Join(widths), max(40, 900 // len(widths)), rng(), words)


@cocotb.test()
@cocotb.parametrize(p_send=[0.0, 0.3], p_recv=[0.0, 0.5])
async def words_meet(dut, p_send, p_recv):
    widths, random = bench_config()["widths"], rng()
    layout, count = join_layout(widths), 20
    words = [[random.getrandbits(width) for _ in range(count)] for width in widths]

    await start(dut)
    for k, column in enumerate(words):
        cocotb.start_soon(send(dut, f"i_{k}", column, rng(1 + k), p_send))
    got, cycles = await recv(dut, "o", count, rng(0), p_recv)

    assert got == [layout.const(dict(enumerate(row))).as_bits()
                   for row in zip(*words, strict=True)]
    assert p_send or p_recv or cycles == count
