"""Cover points: seen in both simulators, noted across processes; a missed one fails the suite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hw.emit import emit
from sim.common import cover
from sim.common.program import build_program, run_programs
from sim.common.runner import SIMULATORS
from tests.common.copier import Copier
from tests.common.test_program import job

ROOT = Path(__file__).parents[2]
POINTS = (
    cover.Point("AR held", "copier", "memory__ar__valid & ~memory__ar__ready"),
    cover.Point("inside", "Inverter", "i != 8'h00"),
    cover.Point("never", "copier", "memory__ar__valid & ~memory__ar__valid"),
    cover.Point("no such module", "nobody", "clk"),
    cover.Point("no such signal", "copier", "memory__ar__valid | nobody"),
)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_points_are_seen(simulator, tmp_path, monkeypatch):
    monkeypatch.setenv(cover.FOLDER, str(tmp_path))
    watched = cover.instrument(emit(Copier(), "copier"), POINTS)
    build = build_program(watched, simulator=simulator, memory_bytes=1 << 16)
    names = [point.name for point in POINTS]

    def run(**options):
        run_programs(build, [job(bytes(range(1, 65)) * 8, 0, 256, 3, **options)])
        return cover.missing("copier", names)

    assert run() == ["AR held", *names[2:]]
    assert run(stalls={"ar": 0.9, "seed": 1}) == names[2:]


def test_without_a_folder_nothing_is_noted(monkeypatch):
    monkeypatch.delenv(cover.FOLDER)
    cover.hit("copier", ["anything"])


def test_without_points_the_verilog_is_the_same():
    emitted = emit(Copier(), "copier")
    assert cover.instrument(emitted, ()) is emitted


SUITE = """
from sim.common import cover
def test_one():
    cover.hit("{design}", ["first"])
def test_other():
    cover.hit("{design}", ["second"])
"""
DESIGN = """
class RTL:
    name, cover_points = "{design}", ["first", "second", "third"]
"""


def suite(tmp_path, hits, *arguments):
    """A design's suite of its own, under this conftest; (exit status, output)."""
    tests, sim = tmp_path / "tests" / "toy", tmp_path / "sim" / "toy"
    tests.mkdir(parents=True)
    sim.mkdir(parents=True)
    (tmp_path / "tests" / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    body = SUITE.format(design="toy") + (
        'def test_third():\n    cover.hit("toy", ["third"])\n' if hits else "")
    (tests / "test_toy.py").write_text(body)
    (sim / "run.py").write_text(DESIGN.format(design="toy"))
    (tmp_path / "sim/common").symlink_to(ROOT / "sim/common")
    (tmp_path / "hw").symlink_to(ROOT / "hw")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "tests"],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)})
    return done.returncode, done.stdout


def test_a_missed_point_fails_the_suite(tmp_path):
    status, output = suite(tmp_path, False)
    assert status == 1
    assert "toy: cover points that no test hit" in output
    assert "third" in output
    assert "second\n" not in output


def test_all_points_hit_by_several_processes(tmp_path):
    status, output = suite(tmp_path, True, "-n", "2")
    assert status == 0, output


def test_a_part_of_the_suite_need_not_hit_them(tmp_path):
    status, output = suite(tmp_path, False, "-k", "one")
    assert status == 0, output
