"""Bench of Register: order, rate, and every output in every cycle."""
import cocotb

from golden import streams
from sim.common.bench import bench_config, recv, rng, send, start
from sim.common.lockstep import lockstep


@cocotb.test()
async def lockstep_with_golden(dut):
    width = bench_config()["width"]
    await start(dut)
    await lockstep(dut, streams.Register(), 1000, rng(), {"i": lambda r: r.getrandbits(width)})


@cocotb.test()
@cocotb.parametrize(p_send=[0.0, 0.5], p_recv=[0.0, 0.5])
async def words_pass_in_order(dut, p_send, p_recv):
    width, random = bench_config()["width"], rng()
    words = [random.getrandbits(width) for _ in range(60)]

    await start(dut)
    cocotb.start_soon(send(dut, "i", words, rng(1), p_send))
    got, cycles = await recv(dut, "o", len(words), rng(2), p_recv)

    assert got == words
    assert p_send or p_recv or cycles == len(words) + 1
