"""Bench of Crossbar: order per input and output, parallel rate; every output in every cycle."""
import cocotb

from golden import streams
from hw.common.stream.crossbar import routed_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.common.lockstep import lockstep


def shape():
    """Inputs, outputs and the layout of a word."""
    config = bench_config()
    return config["inputs"], config["outputs"], routed_layout(config["width"], config["outputs"])


@cocotb.test()
async def lockstep_with_golden(dut):
    inputs, outputs, layout = shape()
    width = bench_config()["width"]

    hot = [0]                          # most inputs want the same output, for some time

    def word(r):
        if r.random() < 0.03:
            hot[0] = r.randrange(outputs)
        dest = hot[0] if r.random() < 0.85 else r.randrange(outputs)
        return layout.const({"data": r.getrandbits(width), "dest": dest}).as_bits()

    model = streams.Crossbar(inputs, outputs, width)
    await start(dut)
    await lockstep(dut, model, 5000, rng(), dict.fromkeys(model.inputs, word))


@cocotb.test()
@cocotb.parametrize(p_send=[0.0, 0.5], p_recv=[0.0, 0.5])
async def each_word_reaches_its_output(dut, p_send, p_recv):
    inputs, outputs, layout = shape()
    width, random, count = bench_config()["width"], rng(), 24
    words = [[(random.getrandbits(width), (k + number) % outputs) for number in range(count)]
             for k in range(inputs)]

    await start(dut)
    for k, column in enumerate(words):
        bits = [layout.const({"data": data, "dest": dest}).as_bits() for data, dest in column]
        cocotb.start_soon(send(dut, f"i__{k}", bits, rng(1 + k), p_send))
    expected = [sorted(data for column in words for data, dest in column if dest == j)
                for j in range(outputs)]
    readers = [cocotb.start_soon(recv(dut, f"o__{j}", len(expected[j]), rng(100 + j), p_recv))
               for j in range(outputs)]

    for reader, data in zip(readers, expected, strict=True):
        got, cycles = await reader
        assert sorted(got) == data
        # Destinations rotate, so no two inputs want the same output: one word per cycle and input.
        assert p_send or p_recv or inputs > outputs or cycles <= count
