"""The benches of arithmetic and PE kill every mutant that differs, in a small format."""
import pytest

from hw.tnpu.config import PRESETS
from hw.tnpu.fp32 import Adder, Format, Multiplier
from hw.tnpu.pe import PE
from sim.common.mutation import mutate
from tests.tnpu import rational

FORMAT = Format(2, 2)
NUMBERS = range(1 << FORMAT.bits)
TABLES = {name: [[of(FORMAT)(a, b) for b in NUMBERS] for a in NUMBERS]
          for name, of in (("multiply", rational.multiply), ("add", rational.add))}
# NaNs are few: what meets one is one.
OPERANDS = [n for n in NUMBERS for _ in range(1 if n & FORMAT.nan == FORMAT.nan else 8)]

FEW, MANY = 60, 400

COUNTS = pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.regress)])


@COUNTS
@pytest.mark.parametrize("unit, name", [(Multiplier, "multiply"), (Adder, "add")])
def test_arithmetic(unit, name, count):
    pairs = [(a, b, TABLES[name][a][b]) for a in NUMBERS for b in NUMBERS]
    report = mutate(unit(2, FORMAT), "sim.tnpu.bench_operands", name=f"mutants_{name}",
                    config={"pairs": pairs, "latency": 2}, count=count)
    print(f"{name}: {report.killed} killed, {report.equivalent} proven equivalent")
    assert report.killed + report.equivalent == count and not report.undecided


@pytest.mark.regress
def test_pe():
    """Its operators have their own mutants; proofs over its slots may find no end."""
    cfg = PRESETS["tiny"]
    config = {"cfg": cfg, "bits": FORMAT.bits, "tables": TABLES, "cycles": 900,
              "operands": OPERANDS}
    report = mutate(PE(cfg, FORMAT), "sim.tnpu.bench_pe", name="mutants_pe", config=config,
                    count=MANY, settle=cfg.mul_latency + cfg.add_latency)
    print(f"PE: {report.killed} killed, {report.equivalent} proven equivalent, "
          f"{len(report.undecided)} undecided: {report.undecided}")
    assert report.killed > 0.8 * MANY
