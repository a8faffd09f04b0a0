"""``sparseforge train tnpu``, and the verbs ``model`` and ``sim`` on tnpu."""

import json

import numpy as np
import pytest

from golden.layers import Layer, Pool
from golden.tnpu.network import Network
from hw.tnpu.config import PRESETS
from sparseforge import cli
from sparseforge.networks import network
from sparseforge.networks.digits import reader
from sparseforge.training import gantt

SHAPE = "--shape 3,6,6,4,3,2 --pad 1 --stride 2 --relu"


@pytest.fixture
def run(capsys):
    """Runs the command: (status, JSON, stderr)."""
    def call(line, *more):
        status = cli.run([*line.split(), *map(str, more), "--json"])
        captured = capsys.readouterr()
        return status, json.loads(captured.out) if captured.out else None, captured.err
    return call


def test_an_epoch_with_curves_and_export(run, tmp_path):
    status, data, err = run("train tnpu --epochs 1 --batch 10 --rate 0.02 --preset small",
                            "-o", tmp_path, "--export", tmp_path / "d.onnx")
    assert status == 0, err
    assert data["epochs"][0]["accuracy"] > 0.6
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    layers, weights, _ = reader.load(tmp_path / "d.onnx")
    assert [layer.k for layer in layers] == [16, 32, 10] and weights[0].shape == (16, 1, 3, 3)
    assert data["export"]["accuracy"] > data["accuracy"] - 0.05


def test_the_chart_is_made_of_the_rtls_counters(tmp_path):
    net = Network((Layer(name="conv", c=2, h=5, w=5, k=3, r=2, s=2, relu=True, bias=True,
                         pool=Pool(kind="max", k=2, s=2)), Layer.fc("fc", 12, 3, bias=True)))
    found = gantt.charts(net, PRESETS["tiny"], "verilator", 2, instances=3)
    for chart in found.values():
        assert len(chart.at) > 20 and chart.at[-1] == chart.cycles
        assert all(0 < (share * np.diff(chart.at)).sum() < chart.cycles for share in chart.busy)
    path = gantt.plot(tmp_path / "g.png", found)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.regress
def test_whole_epochs_reach_97_percent(run, tmp_path):
    status, data, _ = run("train tnpu", "-o", tmp_path)
    losses = [epoch["loss"] for epoch in data["epochs"]]
    assert status == 0 and losses[-1] < losses[0] / 4
    assert data["accuracy"] >= 0.97


@pytest.mark.parametrize("phase", ["fp", "bp", "gd", "wu", "all"])
def test_the_model_by_phase(run, phase):
    status, data, err = run(f"model tnpu --preset tiny {SHAPE} --phase {phase}")
    assert status == 0, err
    assert data["phase"] == phase and data["macs_effectual"] <= data["macs_done"]
    assert sum(data["stalls"].values()) == 6 * data["cycles"]


def test_a_built_in_network_runs_layer_by_layer(run):
    """fp32 has no shift that would keep a chain's values small."""
    status, data, _ = run("model tnpu --network lenet5 --phase fp")
    assert status == 0 and data["source"] == "synthetic, layer by layer"
    assert [one["name"] for one in data["layers"]] == [x.name for x in network("lenet5").layers]


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
    ("train tnpu --fc-gradients nowhere", "--fc-gradients must be one of"),
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
