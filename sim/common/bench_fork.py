"""Bench of Fork: each output gets each word once; rate; every output in every cycle."""
import cocotb

from golden import streams
from sim.common.bench import bench_config, recv, rng, send, start
from sim.common.lockstep import lockstep


@cocotb.test()
async def lockstep_with_golden(dut):
    n, width = (bench_config()[name] for name in ("n", "width"))
    await start(dut)
    await lockstep(dut, streams.Fork(n), 1000, rng(), {"i": lambda r: r.getrandbits(width)})


@cocotb.test()
@cocotb.parametrize(p_send=[0.0, 0.5], p_recv=[0.0, 0.5])
async def every_output_gets_every_word(dut, p_send, p_recv):
    n, width = (bench_config()[name] for name in ("n", "width"))
    random = rng()
    words = [random.getrandbits(width) for _ in range(40)]

    await start(dut)
    cocotb.start_soon(send(dut, "i", words, rng(1), p_send))
    readers = [cocotb.start_soon(recv(dut, f"o__{k}", len(words), rng(2 + k), p_recv))
               for k in range(n)]

    for reader in readers:
        got, cycles = await reader
        assert got == words
        assert p_send or p_recv or cycles == len(words)
