"""``sparseforge train tnpu``, and the verbs ``model`` and ``sim`` on tnpu."""

import json

import numpy as np
import pytest

from hw.tnpu.config import PRESETS
from sparseforge import cli
from sparseforge.networks.digits import reader
from sparseforge.training import digits, rtl

SHAPE = "--shape 3,6,6,4,3,2 --pad 1 --stride 2 --relu"


@pytest.fixture
def run(capsys):
    """Runs the command: (status, JSON, stderr)."""
    def call(line, *more):
        status = cli.run([*line.split(), *map(str, more), "--json"])
        captured = capsys.readouterr()
        return status, json.loads(captured.out) if captured.out else None, captured.err
    return call


def test_an_epoch_with_curves_chart_and_export(run, tmp_path):
    status, data, err = run("train tnpu --epochs 1 --batch 10 --rate 0.02 --preset small",
                            "-o", tmp_path, "--gantt", tmp_path / "g.png",
                            "--export", tmp_path / "d.onnx")
    assert status == 0, err
    assert data["epochs"][0]["accuracy"] > 0.6
    for name in ("curves.png", "g.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    cycles = data["gantt"]["cycles"]
    assert cycles["sosm"] < cycles["conventional"] < cycles["time_multiplexed"]
    layers, weights, _ = reader.load(tmp_path / "d.onnx")
    assert [layer.k for layer in layers] == [16, 32, 10] and weights[0].shape == (16, 1, 3, 3)
    assert data["export"]["accuracy"] > data["accuracy"] - 0.05


@pytest.mark.regress
def test_whole_epochs_reach_97_percent(run, tmp_path):
    status, data, _ = run("train tnpu", "-o", tmp_path)
    losses = [epoch["loss"] for epoch in data["epochs"]]
    assert status == 0 and losses[-1] < losses[0] / 4
    assert data["accuracy"] >= 0.97


def trained(batches, batch, preset):
    net, (training, _) = digits.network(), digits.load()
    some = list(digits.batches(training, batch, 0, 1))[:batches]
    return rtl.train_rtl(net, digits.start(net, 0), some, PRESETS[preset], rate=0.02, momentum=0.9,
                         schedule="sosm", look_ahead=3, simulator="verilator")


def check(data):
    assert (data["mismatches"], data["differences"]) == (0, [])
    assert set(data["cycles"]) == {data["model_cycles"]}
    assert data["losses"][-1] < data["losses"][0]


@pytest.mark.regress
def test_twenty_batches_through_the_rtl():
    check(trained(20, 10, "small"))


@pytest.mark.regress
def test_a_batch_of_50_at_the_papers_size():
    data = trained(1, 50, "paper")
    assert (data["mismatches"], data["differences"]) == (0, [])
    assert data["cycles"] == [data["model_cycles"]]


@pytest.mark.parametrize("phase", ["fp", "bp", "gd", "wu", "all"])
def test_the_model_by_phase(run, phase):
    status, data, err = run(f"model tnpu --preset tiny {SHAPE} --phase {phase}")
    assert status == 0, err
    assert data["phase"] == phase and data["macs_effectual"] <= data["macs_done"]
    assert sum(data["stalls"].values()) == 6 * data["cycles"]


def test_rtl_and_model_by_phase(run):
    for phase in ("fp", "all"):
        line = f"tnpu --preset tiny {SHAPE} --phase {phase} --schedule conventional"
        status, predicted, _ = run(f"model {line}")
        assert status == 0
        status, data, err = run(f"sim {line}")
        assert (status, data["mismatches"], data["differences"]) == (0, 0, []), err
        assert data["cycles"] == predicted["cycles"] == data["model_cycles"]


def test_outputs_are_float32(run, tmp_path):
    status, _, err = run(f"model tnpu --preset tiny {SHAPE}", "--output", tmp_path / "o.npy")
    assert status == 0, err
    assert np.load(tmp_path / "o.npy").dtype == np.float32


@pytest.mark.parametrize(("line", "message"), [
    ("train scnn", "train needs a design that trains"),
    ("train tnpu --epochs -1", "--epochs must be 0 to 10000"),
    ("train tnpu --batch 0", "--batch must be 1 to"),
    ("train tnpu --rate 0", "--rate must be above 0"),
    ("train tnpu --schedule none", "schedule must be one of"),
    ("train tnpu --loss hinge", "--loss must be one of mse, softmax"),
    ("train tnpu --fc-gradients nowhere", "--fc-gradients must be one of memory, chip, batch"),
    ("train tnpu --loss softmax --rtl-batches 1", "--rtl-batches needs --loss mse"),
    ("train tnpu --simulator spice", "--simulator must be"),
    ("train tnpu --epochs 0 --export x.onnx", "--export needs a trained network"),
    ("train tnpu --epochs 0 --gantt /nowhere/x.png", "must be in a folder that exists"),
    (f"model tnpu --preset tiny {SHAPE} --phase up", "--phase must be one of"),
    (f"model tnpu --preset tiny {SHAPE} --schedule x", "schedule must be one of"),
    (f"model scnn --preset tiny {SHAPE} --phase fp", "need a design that trains, not scnn"),
    (f"model tnpu --preset tiny {SHAPE} --pool avg,2,2", "pool with max, or train"),
    (f"model tnpu --preset tiny {SHAPE} --product-shift 1", "fp32 has no shift"),
    (f"model tnpu --preset tiny {SHAPE} --bandwidth 1/2", "rate_beats and rate_cycles"),
])
def test_refusals(run, line, message, tmp_path):
    status, data, err = run(line, *(("-o", tmp_path) if line.startswith("train") else ()))
    assert (status, data) == (2, None)
    assert message in err and err.count("\n") == 1
