"""All operands of a small format kill every mutant of the arithmetic that differs."""
import pytest

from hw.tnpu.fp32 import Adder, Format, Multiplier
from sim.common.mutation import mutate
from tests.tnpu import rational

FORMAT = Format(2, 2)
NUMBERS = range(1 << FORMAT.bits)
TABLES = {name: [[of(FORMAT)(a, b) for b in NUMBERS] for a in NUMBERS]
          for name, of in (("multiply", rational.multiply), ("add", rational.add))}


@pytest.mark.parametrize("unit, name", [(Multiplier, "multiply"), (Adder, "add")])
def test_arithmetic(unit, name):
    pairs = [(a, b, TABLES[name][a][b]) for a in NUMBERS for b in NUMBERS]
    report = mutate(unit(2, FORMAT), "sim.tnpu.bench_operands", name=f"mutants_{name}",
                    config={"pairs": pairs, "latency": 2}, count=200)
    print(f"{name}: {report.killed} killed, {report.equivalent} proven equivalent")
    assert report.killed + report.equivalent == 200 and not report.undecided
