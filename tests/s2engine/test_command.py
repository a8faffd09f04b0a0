"""The command on S² Engine and on the naive array: the model's figures, RTL in Icarus, refusals."""

import json

import pytest

from sparseforge import cli

SHAPE = "--shape 6,5,4,5,3,2 --pad 1 --weight-density 0.4 --activation-density 0.5 --relu"
ARRAY = {"array_cycles", "array_speedup", "dense_cycles", "dense_cycles_without_overlap",
         "must_macs", "mac_busy", "ds_busy", "mac_cycles", "fifo_marks", "idle_share", "fb_groups",
         "fb_tokens", "fb_tokens_alone", "wb_tokens", "buffer_read_bits",
         "buffer_read_bits_without_ce", "buffer_bits", "buffer_bits_without_ce"}


@pytest.fixture
def run(capsys):
    """Runs the command: (status, JSON, stderr)."""
    def call(line):
        status = cli.run([*line.split(), "--json"])
        captured = capsys.readouterr()
        return status, json.loads(captured.out) if captured.out else None, captured.err
    return call


@pytest.mark.parametrize("design", ["s2engine", "systolic"])
def test_rtl_and_model_give_the_same(run, design):
    line = f"{design} --preset tiny {SHAPE} --pool max,2,2"
    status, predicted, err = run(f"model {line}")
    assert status == 0, err
    assert set(predicted) >= ARRAY
    status, data, err = run(f"sim {line} --simulator icarus")
    assert (status, data["mismatches"], data["differences"]) == (0, 0, []), err
    assert {name: data[name] for name in predicted} == predicted


def test_a_networks_figures_add_up(run):
    status, data, _ = run("model s2engine --preset demo --network digits")
    assert status == 0
    assert data["cycles"] == sum(layer["cycles"] for layer in data["layers"])
    for name in ("array_cycles", "must_macs", "buffer_read_bits"):
        assert data[name] == sum(layer[name] for layer in data["layers"])
    ratio = data["config"]["ratio"]
    assert data["speedup"] == pytest.approx(data["dense_cycles"] * ratio / data["cycles"])
    assert data["array_speedup"] == pytest.approx(
        data["dense_cycles"] * ratio / data["array_cycles"])
    assert data["must_macs"] == data["macs_effectual"] == data["macs_done"]


def test_the_array_alone(run):
    """The same figures as beside the whole machine's, and their waterfall sums."""
    _, whole, _ = run(f"model s2engine --preset tiny {SHAPE}")
    status, alone, _ = run(f"model s2engine --preset tiny {SHAPE} --array")
    assert status == 0
    assert {name: alone[name] for name in ARRAY - {"mac_cycles"}} == {
        name: whole[name] for name in ARRAY - {"mac_cycles"}}
    assert alone["cycles"] == whole["array_cycles"] < whole["cycles"]
    assert alone["speedup"] == alone["array_speedup"] == whole["array_speedup"]


def test_the_naive_array_multiplies_everything(run):
    """Besides what has no pixel or kernel; zeros cost it nothing less."""
    _, sparse, _ = run(f"model systolic --preset tiny {SHAPE}")
    _, dense, _ = run("model systolic --preset tiny --shape 6,5,4,5,3,2 --pad 1 --relu")
    assert sparse["cycles"] == dense["cycles"]
    assert sparse["macs_done"] >= sparse["macs_dense"] > sparse["macs_effectual"]
    assert sparse["array_cycles"] == sparse["dense_cycles"]


@pytest.mark.parametrize(("line", "message"), [
    ("model s2engine --preset least --shape 9,9,9,9,9,9", "must fit"),
    ("model s2engine --set ratio=3 --shape 1,1,1,1,1,1", "ratio must be 1, 2, 4 or 8, not 3"),
    ("model s2engine --shape 1,1,1,1,1,1 --product-shift 2", "product_shift must be 0"),
    ("model systolic --set ratio=2 --shape 1,1,1,1,1,1", "ratio must be a parameter"),
    ("model systolic --shape 1,1,1,1,1,1 --array", "leave --array out"),
    ("model scnn --shape 1,1,1,1,1,1 --array", "--array needs a design with an array of its own"),
    ("reproduce systolic", "reproduce s2engine"),
])
def test_refusals(run, line, message):
    status, data, err = run(line)
    assert (status, data, err.count("\n")) == (2, None, 1)
    assert message in err
