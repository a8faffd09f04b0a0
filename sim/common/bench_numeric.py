"""Bench of saturate, round_shift_half_even, requantise, adder_tree: all operands, or the extremes
and many others."""
from itertools import product

import cocotb
import numpy as np
from cocotb.triggers import Timer

from golden import numeric
from sim.common.bench import bench_config, rng, start

EXHAUSTIVE = 1 << 14


def operands(config):
    """(acc, multiplier, shift) as three arrays."""
    spans = [range(-(1 << config["acc_bits"] - 1), 1 << config["acc_bits"] - 1),
             range(-(1 << config["multiplier_bits"] - 1), 1 << config["multiplier_bits"] - 1),
             range(config["max_shift"] + 1)]
    if len(spans[0]) * len(spans[1]) * len(spans[2]) <= EXHAUSTIVE:
        return np.array(list(product(*spans))).T
    r = rng()
    ends = [sorted({span[k] for k in (0, 1, len(span) // 2, -2, -1)}) for span in spans]
    some = [[r.choice(span) >> r.randrange(40) for span in spans[:2]] + [r.choice(spans[2])]
            for _ in range(2000)]
    return np.array([*product(*ends), *some]).T


def expected(config, acc, multiplier, shift):
    """What each output must be."""
    bits = config["out_bits"]
    unsigned = acc & (1 << config["acc_bits"]) - 1
    return {
        "saturated": numeric.saturate(acc, bits),
        "saturated_unsigned": numeric.saturate(unsigned, bits),
        "rounded": numeric.round_shift_half_even(acc, shift),
        "rounded_unsigned": numeric.round_shift_half_even(unsigned, shift),
        "requantised": numeric.requantise(acc, multiplier, shift, bits),
        "total": acc + multiplier + shift + acc + shift,
    }


@cocotb.test()
async def equals_golden(dut):
    config = bench_config()
    acc, multiplier, shift = operands(config)
    outputs = {getattr(dut, name): values.tolist()
               for name, values in expected(config, acc, multiplier, shift).items()}
    await start(dut)
    for k, (a, b, s) in enumerate(zip(acc.tolist(), multiplier.tolist(), shift.tolist(),
                                      strict=True)):
        dut.acc.value = a & (1 << config["acc_bits"]) - 1
        dut.multiplier.value = b & (1 << config["multiplier_bits"]) - 1
        dut.shift.value = s
        await Timer(1, "ns")
        for output, values in outputs.items():
            got = int(output.value)
            assert got == values[k] & (1 << len(output)) - 1, \
                f"{output._name} of {a}, {b}, {s} is {got}, not {values[k]}"
