"""Multiplier and adder: small formats on all operands, binary32 on corners and random pairs."""
import numpy as np
import pytest

from golden.tnpu import fp32 as golden
from hw.tnpu.fp32 import BINARY32, Adder, Format, Multiplier
from sim.common.runner import SIMULATORS, BenchFailed
from sim.tnpu.lanes import check
from sim.tnpu.operands import corners, random_pairs
from tests.tnpu import rational

UNITS = {"multiplier": (Multiplier, golden.multiply, rational.multiply),
         "adder": (Adder, golden.add, rational.add)}
LATENCY = 4    # of the long runs
SMALL = Format(3, 3)
OTHERS = [Format(2, 2), Format(2, 4), Format(4, 2), Format(3, 4), Format(4, 3)]


def expected(function, a, b):
    return golden.to_bits(function(golden.from_bits(a), golden.from_bits(b)))


def all_pairs(fmt):
    numbers = np.arange(1 << fmt.bits, dtype=np.uint32)
    return [grid.ravel() for grid in np.meshgrid(numbers, numbers)]


def check_all(name, latency, fmt):
    unit, _, reference = UNITS[name]
    a, b = all_pairs(fmt)
    exact = list(map(reference(fmt), a.tolist(), b.tolist()))
    check(unit(latency, fmt), a, b, exact, simulator="icarus")


@pytest.mark.parametrize("name", UNITS)
def test_a_small_format_is_exact_on_all_operands(name):
    check_all(name, LATENCY, SMALL)


@pytest.mark.regress
@pytest.mark.parametrize("latency", [2, 5])
@pytest.mark.parametrize("name", UNITS)
def test_the_other_latencies(name, latency):
    check_all(name, latency, SMALL)


@pytest.mark.regress
@pytest.mark.parametrize("fmt", OTHERS, ids=str)
@pytest.mark.parametrize("name", UNITS)
def test_other_formats_are_exact_on_all_operands(name, fmt):
    check_all(name, LATENCY, fmt)


@pytest.mark.parametrize("latency", [1, 3, 6])
@pytest.mark.parametrize("name", UNITS)
def test_latencies(name, latency):
    check_all(name, latency, Format(2, 2))


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("name", UNITS)
def test_binary32(name, simulator):
    """Every corner with every other one, and 10^5 random pairs."""
    unit, function, _ = UNITS[name]
    a, b = (np.concatenate(both) for both in zip(corners(), random_pairs(100_000, 1), strict=True))
    check(unit(LATENCY), a, b, expected(function, a, b), simulator=simulator)


@pytest.mark.regress
@pytest.mark.parametrize("name", UNITS)
def test_binary32_at_length(name):
    """10^7 random pairs."""
    unit, function, _ = UNITS[name]
    for seed in range(2, 12):
        a, b = random_pairs(1_000_000, seed)
        check(unit(LATENCY), a, b, expected(function, a, b), simulator="verilator", opt=3)


@pytest.mark.parametrize("name", UNITS)
def test_random_pairs_hit_what_they_are_drawn_for(name):
    """Results: subnormals, ties, overflow, underflow to zero; of sums: deep cancellation."""
    _, function, _ = UNITS[name]
    a, b = (golden.from_bits(x) for x in random_pairs(100_000, 1))
    finite = np.isfinite(a) & np.isfinite(b)
    a, b = a[finite], b[finite]
    result = function(a, b)
    wide = a.astype(np.longdouble), b.astype(np.longdouble)
    exact = wide[0] * wide[1] if name == "multiplier" else wide[0] + wide[1]
    with np.errstate(all="ignore"):
        ulp = np.spacing(np.abs(result)).astype(np.longdouble)
        tie = np.isfinite(result) & (2 * np.abs(exact - result) == ulp)
    subnormal = (result != 0) & (np.abs(result) < np.finfo(np.float32).tiny)
    seen = {"overflow": np.isinf(result).sum(), "subnormal": subnormal.sum(), "tie": tie.sum(),
            "tie between subnormals": (tie & subnormal).sum()}
    if name == "adder":
        large = np.maximum(np.abs(a), np.abs(b))
        seen["cancellation"] = ((result != 0) & (np.abs(result) < large / 2**12)).sum()
        del seen["tie between subnormals"]    # sums of subnormals are exact
    else:
        seen["underflow"] = ((result == 0) & (exact != 0)).sum()
    assert min(seen.values()) > 300, seen


@pytest.mark.parametrize("name", UNITS)
def test_golden_rounds_once(name):
    """Against float64, which has more than twice the bits: rounding to it first changes nothing."""
    _, function, _ = UNITS[name]
    wide = np.multiply if name == "multiplier" else np.add
    a, b = (golden.from_bits(x) for x in random_pairs(100_000, 3))
    with np.errstate(all="ignore"):
        exact = golden.canonical(wide(a, b, dtype=np.float64))
    assert golden.to_bits(function(a, b)).tolist() == golden.to_bits(exact).tolist()


def test_a_wrong_result_is_found():
    a, b = all_pairs(SMALL)
    exact = list(map(rational.add(SMALL), a.tolist(), b.tolist()))
    exact[77] ^= 1
    with pytest.raises(BenchFailed, match="1 results differ, the first one of 0x4d and 0x0: "):
        check(Adder(2, SMALL), a, b, exact, simulator="icarus")


def test_refusals():
    with pytest.raises(ValueError, match="latency of a Multiplier must be 1 to 6, not 7"):
        Multiplier(7)
    with pytest.raises(ValueError, match="latency of a Adder must be 1 to 6, not 0"):
        Adder(0)
    with pytest.raises(ValueError, match="must be at least 2, not 1 and 4"):
        Adder(1, Format(1, 4))
    assert BINARY32.nan == 0x7FC00000
