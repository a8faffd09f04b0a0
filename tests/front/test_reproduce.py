"""Reproduced figures: their arithmetic, on figures made up here; every config is a valid one."""

import json

import pytest
from rich.console import Console

from sparseforge.config import configure
from sparseforge.networks import network
from sparseforge.registry import design
from sparseforge.reproduce import kept, scnn
from sparseforge.reproduce.study import Case, measure, study, total
from tests.front.fake import Fake


def made_up(case):
    """Cycles by density alone: the speed-up is 1 at density 0.75."""
    weights = case.densities[0] if case.densities else 0.5
    layer = network(case.network).pick(case.layer)[0].layer
    stalls = {"multiply": 3, "conflict": 1, "starved": 0, "load": 0, "drain": 0, "barrier": 4,
              "idle": 0}
    return {"name": case.layer, "cycles": int(1e6 * weights) + 10,
            "cycles_layer": int(1e6 * weights),
            "macs_effectual": int(layer.macs * weights), "macs_dense": layer.macs,
            "dense_cycles": 750_000, "dense_multipliers": 1024, "bound_compute": 1000,
            "ideal_cycles": 2000, "speedup": 0.75 / weights,
            "utilization": weights / 2, "occupancy": weights,
            "stalls": stalls,
            "splits": {"barrier": {"planar remainder": 3, "sparsity imbalance": 1}},
            "tiles": 2 if case.network == "vgg16" else 1}


def block(instances, gates, children=(), bits=0):
    memories = [{"bits": bits, "read_ports": 1, "write_ports": 1}] if bits else []
    return {"instances": instances, "gate_equivalents": gates, "children": dict(children),
            "flipflops": 0, "memory_bits": bits, "memories": memories}


MADE_UP_PE = {"design": "pe", "blocks": {
    "pe": block(1, 100, {"pe_ram_0": 1, "pe_accumulators": 1, "pe_multipliers": 1}),
    "pe_multipliers": block(1, 500),
    "pe_ram_0": block(1, 50, bits=500),
    "pe_accumulators": block(1, 10, {"Bank": 4}), "Bank": block(4, 10)}}


@pytest.fixture
def asked(monkeypatch):
    """Every case that is asked for, answered by `made_up`."""
    cases = []

    def answer(wanted, what, jobs=None):
        cases.extend(wanted)
        return {case: made_up(case) for case in wanted}
    monkeypatch.setattr(scnn, "study", answer)
    monkeypatch.setattr(scnn, "synthesise_pe", lambda: MADE_UP_PE)
    monkeypatch.setattr(scnn, "HEAT", ("lenet5", "conv1"))
    return cases


def test_every_section(asked, tmp_path, capsys):
    data = scnn.reproduce(Console(width=120), tmp_path)
    assert json.loads(json.dumps(data)) is not None
    text = capsys.readouterr().out
    assert all(section.title in text for section in scnn.SECTIONS.values())
    assert {p.name for p in tmp_path.iterdir()} == {
        "fig7.png", "fig8.png", "fig9.png", "decides.png", "heat.png"}
    assert all(p.stat().st_size > 10_000 for p in tmp_path.iterdir())
    assert len(asked) == len(set(asked)), "a case was run twice"
    assert data["fig7"]["crossover"] == pytest.approx(0.75, abs=0.01)
    assert data["onchip"]["layers"] == 72
    assert len(data["onchip"]["tiled"]) == 13
    assert data["banks"]["rows"][0]["cycles_per_vector"] == 4 / 3
    assert data["fig9"]["rows"][0]["barrier"] == 0.5
    assert data["fig9"]["rows"][0]["planar"] == 0.375
    parts = {row["part"]: row for row in data["area"]["rows"]}
    assert parts["Accumulator buffers"]["gate_equivalents"] == 50
    assert (parts["IARAM + OARAM"]["gate_equivalents"], parts["Other"]["gate_equivalents"]) == (
        50, 100)
    assert parts["IARAM + OARAM"]["memory_ge"] == 1000
    assert parts["IARAM + OARAM"]["multipliers"] == pytest.approx((50 + 1000) / 500, rel=1e-3)
    assert sum(row["paper_share"] for row in parts.values()) == pytest.approx(1)
    assert len(data["heat"]["busy"]) == 64
    alexnet = data["fig8"]["rows"][0]
    assert alexnet["speedup"] == 1.5
    assert alexnet["oracle"] == 750


def test_every_config_is_valid(asked, tmp_path):
    scnn.reproduce(Console(quiet=True), None)
    presets = design("scnn").presets()
    for changes in {case.changes for case in asked}:
        _, config = configure(presets, "paper", changes=changes)
        assert config.multipliers == 1024
        assert config.pes * config.ram_elements == 64 * 4096


def test_one_section(asked, capsys):
    assert set(scnn.reproduce(Console(), None, "table1")) == {"table1"}
    with pytest.raises(ValueError, match=r"--only must be one of table1, fig7, .*, not fig1"):
        scnn.reproduce(Console(), None, "fig1")


def test_a_command_names_the_case():
    case = Case("scnn", "googlenet", "conv1/7x7_s2", ("kc=0",), (0.5, 0.25))
    assert case.command() == (
        "sparseforge model scnn --network googlenet --layer conv1/7x7_s2 --set kc=0 "
        "--weight-density 0.5 --activation-density 0.25")
    assert "--layer" not in case.command(whole=True)


def test_totals_leave_refusals_out():
    cases = [Case("scnn", "alexnet", name) for name in ("conv1", "conv2")]
    sums = total([made_up(cases[0]), {"refused": "no"}, made_up(cases[1])])
    assert sums["refused"] == 1
    assert sums["cycles"] == 2 * 500_010
    assert total([{"refused": "no"}])["refused"] == 1


def test_measure_is_what_the_command_prints(monkeypatch, tmp_path):
    monkeypatch.setattr("sparseforge.registry.designs", lambda: {"fake": Fake()})
    monkeypatch.setenv("SPARSEFORGE_BUILD", str(tmp_path))
    good, bad = (Case("fake", "lenet5", "conv2", c) for c in ((), ("pes=0",)))
    found = study([good, bad, good], "test", jobs=1)
    assert list(found) == [good, bad]
    assert found[good] == measure(good)
    assert found[good]["macs_dense"] == network("lenet5").pick("conv2")[0].layer.macs
    assert found[bad] == {"refused": "pes must be at least 1, not 0"}


def test_kept_figures(monkeypatch, tmp_path):
    """Computed once for a case; anew for another case, another design, other sources."""
    monkeypatch.setenv("SPARSEFORGE_BUILD", str(tmp_path))
    made = []

    def make():
        made.append(1)
        return {"n": len(made)}
    assert [kept.kept("scnn", case, make)["n"] for case in "aaba"] == [1, 1, 2, 1]
    assert kept.kept("dcnn", "a", make)["n"] == 3
    monkeypatch.setattr(kept, "sources", lambda design: "changed")
    assert kept.kept("scnn", "a", make)["n"] == 4


def test_kept_figures_depend_on_the_design_alone(monkeypatch, tmp_path):
    def digest():
        kept.sources.cache_clear()
        return kept.sources("scnn")
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    seen = []
    for name in ("golden/axi.py", "golden/scnn/cycles.py", "hw/scnn/config.py",
                 "golden/tnpu/cycles.py", "hw/scnn/pe.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("pass")
        seen.append(digest())
    kept.sources.cache_clear()
    assert len(set(seen[:3])) == 3
    assert seen[2] == seen[3] == seen[4]
