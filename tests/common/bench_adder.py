"""Bench of test_runner's adder."""

import cocotb

from sim.common.bench import bench_config, recv, rng, send, start


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def adds(dut, p_stall):
    random = rng()
    words = [random.randrange(256) for _ in range(50)]
    await start(dut)
    sender = cocotb.start_soon(send(dut, "i", words, rng(1), p_stall))
    got, cycles = await recv(dut, "o", len(words), rng(2), p_stall)
    await sender
    assert got == [(w + bench_config()["k"]) % 256 for w in words], "wrong sum"
    assert p_stall or cycles == len(words) + bench_config().get("latency", 1)
