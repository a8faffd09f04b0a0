"""Bench of FIFO: order, rate, and every output in every cycle."""
import cocotb

from golden import streams
from sim.common.bench import bench_config, recv, rng, send, start
from sim.common.lockstep import lockstep


@cocotb.test()
async def lockstep_with_golden(dut):
    depth, width = (bench_config()[name] for name in ("depth", "width"))
    await start(dut)
    await lockstep(dut, streams.FIFO(depth), 1500, rng(), {"i": lambda r: r.getrandbits(width)})


@cocotb.test()
@cocotb.parametrize(p_send=[0.0, 0.5], p_recv=[0.0, 0.5])
async def words_pass_in_order(dut, p_send, p_recv):
    depth, width = (bench_config()[name] for name in ("depth", "width"))
    random = rng()
    words = [random.getrandbits(width) for _ in range(60)]

    await start(dut)
    sender = cocotb.start_soon(send(dut, "i", words, rng(1), p_send))
    got, cycles = await recv(dut, "o", len(words), rng(2), p_recv)

    assert got == words
    assert sender.done()
    if not p_send and not p_recv:    # the last word is out one cycle after it went in
        assert cycles == (2 * len(words) if depth == 1 else len(words) + 1)
