"""The reproduced figures: every section on figures made up here, plots, resumption, refusals."""

import json

import pytest
from rich.console import Console

from golden.s2engine.array import CAUSES
from sparseforge.reproduce import s2engine, s2engine_study
from sparseforge.reproduce.s2engine_study import Bench, Point, measure

FIGURES = {"cycles.png", *(f"fig{n}.png" for n in (10, 11, 12, 13, 14))}


@pytest.fixture
def asked(monkeypatch):
    """Every layer that is asked for, answered at once: twice as fast as dense, five times where
    nothing limits the FIFOs."""
    jobs = []

    def answer(point, name):
        jobs.append((point, name))
        cycles = 800 if all(point.depths) else 320
        return {"cycles": cycles * (1 + point.wide), "half": 8.0, "dense_cycles": 400,
                "dense_alone": 440, "macs": 1000, "effectual": 250, "weights": 500.0,
                "features": 500.0, "idle_share": 0.1,
                "causes": dict.fromkeys(CAUSES, cycles * point.size ** 2 // len(CAUSES))}
    monkeypatch.setattr(s2engine_study, "measure", answer)
    monkeypatch.setattr(Bench, "buffers", lambda self, name, sizes: {
        size: dict.fromkeys(("reads_saved", "capacity_saved", "feature_reads_saved",
                             "feature_capacity_saved"), 0.5) for size in sizes})
    return jobs


def test_every_section(asked, tmp_path, capsys):
    data = s2engine.reproduce(Console(width=160), tmp_path)
    assert json.loads(json.dumps(data)) is not None
    text = capsys.readouterr().out
    assert all(section.title in text for section in s2engine.SECTIONS.values())
    assert {p.name for p in tmp_path.glob("*.png")} == FIGURES
    assert all(p.stat().st_size > 10_000 for p in tmp_path.glob("*.png"))
    assert len(asked) == len(set(asked)), "a point was run twice"
    four = [row for row in data["fig10"]["rows"] if row["ratio"] == 4]
    assert {row["speedup"] for row in four if row["depth"] != "∞"} == {2.0}
    assert {row["speedup"] for row in four if row["depth"] == "∞"} == {5.0}
    assert {row["must"] for row in four} == {0.25}
    assert all(row["extra"] == pytest.approx(row["wide"]) for row in data["fig12"]["rows"])
    assert [row["paper_speedup"] for row in data["table5"]["rows"]] == [2.49, 3.05, 3.29]
    assert [round(row["papers_widths_kb"]) for row in data["table5"]["rows"]] == [12, 22, 44]
    for row in data["cycles"]["rows"]:
        assert sum(row[cause] for cause in CAUSES) == pytest.approx(1, abs=0.01)
    # 16 x 16 and 32 x 32 at (4, 4, 4), and Table V: every pass
    assert {point.size for point, _ in asked if point.whole} == {16, 32}


def test_an_interrupted_run_goes_on(asked, tmp_path, monkeypatch):
    s2engine.reproduce(Console(quiet=True), tmp_path, "10")
    asked.clear()
    again = s2engine.reproduce(Console(quiet=True), tmp_path, "fig10")
    assert not asked and list(again) == ["fig10"]
    monkeypatch.setattr(s2engine_study, "_sources", lambda: "changed")
    s2engine.reproduce(Console(quiet=True), tmp_path, "10")
    assert asked


def test_an_unknown_section():
    with pytest.raises(ValueError, match=r"--only must be one of fig10, .*, not fig9"):
        s2engine.reproduce(Console(quiet=True), None, "9")


def test_a_point():
    """A sample is near the whole, and what does not depend on it is equal."""
    points = [Point("lenet5", 4, (2, 2, 2), 2, density=0.4, whole=whole) for whole in (False, True)]
    sample, whole = (measure(point, "conv1") for point in points)
    assert sample["half"] > 0 and whole["half"] == 0
    assert abs(sample["cycles"] - whole["cycles"]) < 3 * sample["half"]
    assert sample["effectual"] == whole["effectual"]
    assert sum(whole["causes"].values()) == 16 * whole["cycles"]
