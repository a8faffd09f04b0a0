from fractions import Fraction

import numpy as np
import pytest
from amaranth import Signal

from golden import numeric
from hw.common.numeric import adder_tree, round_shift_half_even, saturate
from sim.common.arithmetic import Arithmetic
from sim.common.runner import SIMULATORS, simulate

CONFIGS = [
    {"acc_bits": 6, "multiplier_bits": 4, "out_bits": 4, "max_shift": 7},      # exhaustive
    {"acc_bits": 5, "multiplier_bits": 3, "out_bits": 8, "max_shift": 1},      # widens
    {"acc_bits": 4, "multiplier_bits": 1, "out_bits": 1, "max_shift": 3},
    {"acc_bits": 24, "multiplier_bits": 16, "out_bits": 16, "max_shift": 31},
    {"acc_bits": 32, "multiplier_bits": 24, "out_bits": 8, "max_shift": 48},
]


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_bench(simulator, config):
    simulate(Arithmetic(**config), "sim.common.bench_numeric", simulator=simulator, config=config)


def test_bare_expressions():
    config = CONFIGS[0]
    simulate(Arithmetic(**config, named=False), "sim.common.bench_numeric", simulator="icarus",
             config=config)


@pytest.mark.parametrize("shift", range(9))
def test_golden_rounds_as_python(shift):
    values = np.arange(-600, 600)
    assert numeric.round_shift_half_even(values, shift).tolist() \
        == [round(Fraction(int(v), 2**shift)) for v in values]


def test_golden_at_the_ends_of_int64():
    ends = [-2**63, -2**63 + 1, 2**62, 2**63 - 1]
    for shift in (0, 1, 61, 62):
        assert numeric.round_shift_half_even(ends, shift).tolist() \
            == [round(Fraction(v, 2**shift)) for v in ends]


def test_golden_requantises_as_python():
    acc, multiplier, shift = np.meshgrid(np.arange(-9, 9), np.arange(-5, 6), np.arange(6))
    got = numeric.requantise(acc, multiplier, shift, 4)
    expected = [max(-8, min(7, round(Fraction(int(a) * int(b), 2**int(s)))))
                for a, b, s in zip(acc.flat, multiplier.flat, shift.flat, strict=True)]
    assert got.ravel().tolist() == expected


def test_golden_wraps():
    assert numeric.wrap([7, 8, -9, 16, 2**63 - 1], 4).tolist() == [7, -8, 7, 0, -1]


def test_refusals():
    with pytest.raises(ValueError, match="bits of a saturated value must be at least 1, not 0"):
        saturate(Signal(4), 0)
    with pytest.raises(ValueError, match="shift must be 0 to 3, not 4"):
        round_shift_half_even(Signal(4), 4, 3)
    with pytest.raises(ValueError, match="a sum needs at least 1 value, not 0"):
        adder_tree([])
