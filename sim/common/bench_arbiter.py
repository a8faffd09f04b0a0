"""Bench of Arbiter: order per input, turns, rate; every output in every cycle."""
import cocotb

from golden import streams
from sim.common.bench import bench_config, recv, rng, send, start
from sim.common.lockstep import lockstep


@cocotb.test()
async def lockstep_with_golden(dut):
    n, width = (bench_config()[name] for name in ("n", "width"))
    model = streams.Arbiter(n)
    words = dict.fromkeys(model.inputs, lambda r: r.getrandbits(width))
    await start(dut)
    await lockstep(dut, model, 3000, rng(), words)


@cocotb.test()
@cocotb.parametrize(p_send=[0.0, 0.5], p_recv=[0.0, 0.5])
async def each_input_in_order_and_in_turn(dut, p_send, p_recv):
    n, width = (bench_config()[name] for name in ("n", "width"))
    count = min(2**width // n, 16)
    words = [[k * count + number for number in range(count)] for k in range(n)]

    await start(dut)
    for k, column in enumerate(words):
        cocotb.start_soon(send(dut, f"i__{k}", column, rng(1 + k), p_send))
    got, cycles = await recv(dut, "o", n * count, rng(0), p_recv)

    for column in words:
        assert [word for word in got if word in column] == column
    if not p_send:    # all inputs wait always: strictly in turn
        assert got == [word for row in zip(*words, strict=True) for word in row]
    assert p_send or p_recv or cycles == n * count
