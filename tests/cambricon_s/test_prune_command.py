"""`sparseforge prune`: every form, its files, its refusals."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from golden.formats.coarse_grain import expand
from sparseforge import cli
from sparseforge.networks import digits
from sparseforge.networks.digits import SHIPPED
from sparseforge.pruning import command, networks, of_file, study
from sparseforge.pruning.stored import load

FEW = networks.Effort(dense=2, rounds=1, each=1, settle=1, tied=1)


@pytest.fixture
def run(capsys):
    def call(line, *more):
        status = cli.run([*line.split(), *map(str, more)])
        captured = capsys.readouterr()
        text = captured.out
        return status, json.loads(text) if "--json" in line else text, captured.err
    return call


@pytest.fixture
def quick(monkeypatch):
    """The recipes with hardly any training."""
    for name, one in networks.RECIPES.items():
        monkeypatch.setitem(networks.RECIPES, name, replace(one, effort=FEW))
    monkeypatch.setattr(study.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(command, "SWEPT", command.SWEPT[::6])


def test_trained_network(quick, run, tmp_path):
    status, data, _ = run("prune --network digits-mlp --seeds 2 --sweep --json -o", tmp_path)
    assert status == 0
    assert list(data["accuracy"]) == list(study.STAGES)
    for found in data["accuracy"].values():
        assert found["min"] <= found["mean"] <= found["max"]
        assert len(found["all"]) == 2
    assert {row["criterion"] for row in data["sweep"]} == {"average", "max"}
    assert {p.name for p in tmp_path.iterdir()} == {
        "digits-mlp.npz", "fc1.coarse", "fc2.coarse", "fc3.coarse", "index.png",
        "convergence.png", "sweep.png"}
    layers, about = load(tmp_path / "digits-mlp.npz")
    assert about["accuracy"]["integer"] == data["accuracy"]["integer"]["all"][0]
    for one in layers:
        q, block, _ = expand((tmp_path / f"{one.layer.name}.coarse").read_bytes())
        assert np.array_equal(q.indices, one.indices)
        assert block.sides == one.block.sides
    for png in tmp_path.glob("*.png"):
        assert png.read_bytes().startswith(b"\x89PNG")
    assert data["irregularity"]["total"]["raw"] == sum(
        -(-p["synapses"] // 8) for p in data["sizes"]["local"]["layers"])


def test_trained_network_for_people_with_changes(quick, run, tmp_path):
    status, text, _ = run("prune --network digits --seeds 1 --layer conv2 --block 2,8,1,1 "
                          "--stride 1,0,0,0 --criterion max --bits 3 --submatrix 8,8 "
                          "--threshold 0.001 -o", tmp_path)
    assert status == 0
    for words in ("coarse-grained", "integer", "local convergence of conv2", "R_irr", "written:"):
        assert words in text
    assert not (tmp_path / "conv2.coarse").exists()     # overlapping blocks have no block index
    layers, _ = load(tmp_path / "digits.npz")
    assert (layers[1].bits, layers[1].cut.outputs, layers[1].block.step_fin) == (3, 8, 1)
    assert layers[0].bits == 5


def test_synthetic_network_says_so(run):
    status, data, _ = run("prune --network lenet5 --json")
    assert status == 0
    assert "synthetic" in data["source"]
    assert data["blocks"] == {"conv1": "(1, 16, 1, 1)", "conv2": "(1, 16, 1, 1)",
                              "fc1": "(32, 32, 1, 1)", "fc2": "(16, 10, 1, 1)"}
    for kind in ("local", "global"):
        total = data["sizes"][kind]["total"]
        assert total["synapses"] == 430_500
        assert total["w_p"] > total["w_q"] >= total["w_c"]
    assert data["irregularity"]["total"]["r_irr"] > 5
    status, text, _ = run("prune --network lenet5 --density 0.1")
    assert status == 0 and "synthetic weights" in text


def test_own_tensor(run, tmp_path):
    weights = np.random.default_rng(0).standard_normal((32, 20)).astype(np.float32)
    np.save(tmp_path / "w.npy", weights)
    status, data, _ = run("prune --density 0.25 --block 2,16,1,1 --bits 4 --submatrix 16,0 --json "
                          "--weights", tmp_path / "w.npy", "-o", tmp_path / "out")
    assert status == 0
    mask, left = (np.load(tmp_path / "out" / f"{n}.npy") for n in ("mask", "pruned"))
    assert data["kept"] == mask.sum() == 160
    assert np.array_equal(left != 0, mask)
    q, block, _ = expand((tmp_path / "out/weights.coarse").read_bytes())
    assert np.array_equal(q.look_up(), left) and block.fout == 16
    status, text, _ = run("prune --threshold 1 --weights", tmp_path / "w.npy", "-o", tmp_path)
    assert status == 0 and "R_irr" in text


def test_without_jbig_the_rest_stands(run, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    status, text, _ = run("prune --network lenet5")
    assert status == 0 and "apt-get install jbigkit-bin" in text
    np.save(tmp_path / "w.npy", np.arange(1.0, 13).reshape(3, 4))
    status, data, _ = run("prune --density 0.5 --json --weights", tmp_path / "w.npy", "-o",
                          tmp_path)
    assert status == 0 and data["irregularity"] is None


REFUSED = [
    ("prune", "must be given one of --network NAME and --weights W.npy"),
    ("prune --network digits --weights w.npy", "must be given one of"),
    ("prune --network nobody", "--network must be one of digits, digits-mlp, alexnet"),
    ("prune --network digits --layer conv9", "--layer must be one of digits's layers (conv1,"),
    ("prune --network digits --block 4,16,1,1", "conv1: block fin (4) must be at most the"),
    ("prune --network digits --layer fc --block 1,16,1,1", "fc: block fout (16) must be at most"),
    ("prune --network digits --block 1,2", "--block must be FIN,FOUT,KX,KY, whole numbers, not"),
    ("prune --network digits --block 1,0,1,1", "block fout must be at least 1"),
    ("prune --network digits --stride 1,x,1,1", "--stride must be FIN,FOUT,KX,KY, whole numbers"),
    ("prune --network digits --submatrix 3", "--submatrix must be OUTPUTS,INPUTS"),
    ("prune --network digits --bits 9", "weight indices must be of 1 to 8 bits, not 9"),
    ("prune --network digits --density 0", "density must be above 0 and at most 1, not 0"),
    ("prune --network digits --density 0.5 --threshold 1", "and not both"),
    ("prune --network digits --criterion sum", "criterion must be max or average, not sum"),
    ("prune --network digits --seeds 0", "--seeds must be at least 1, not 0"),
    ("prune --network alexnet --bits 4", "--bits must come with --weights or a network that is"),
    ("prune --network alexnet --density 2", "--density must be above 0 and at most 1, not 2"),
    ("prune --weights none.npy", "--weights must come with --density or --threshold"),
    ("prune --weights none.npy --density 1", "--weights none.npy: must be a readable file"),
    ("prune --weights none.npy --density 1 --sweep", "--sweep must come with --network"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_refusals_are_one_line_and_status_2(run, line, message):
    status, out, err = run(line)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_tensors_of_the_wrong_kind(run, tmp_path):
    for name, values, message in (("cube", np.ones((2, 2, 2)), "must be of shape [K, C] or"),
                                  ("nan", np.full((2, 2), np.nan), "must hold finite numbers"),
                                  ("text", np.array([["a"]]), "must be one array of numbers"),
                                  ("all", np.ones((2, 2)), "threshold 2 must leave a synapse")):
        np.save(tmp_path / f"{name}.npy", values)
        status, _, err = run("prune --threshold 2 --weights", tmp_path / f"{name}.npy")
        assert status == 2 and message in err
    (tmp_path / "junk.npy").write_bytes(b"junk")
    assert "must be a .npy file" in run("prune --density 1 --weights", tmp_path / "junk.npy")[2]
    np.save(tmp_path / "w.npy", np.ones((2, 2)))
    status, _, err = run("prune --density 1 -o /dev/null/x --weights", tmp_path / "w.npy")
    assert status == 2 and "must be a folder that can be written" in err


def test_pruning_everything_ends_in_one_line(quick, run, tmp_path):
    status, _, err = run("prune --network digits-mlp --seeds 1 --threshold 1000 -o", tmp_path)
    assert status == 2
    assert "must leave a synapse" in err


def test_a_file_of_a_trained_network(monkeypatch, run, tmp_path):
    monkeypatch.setattr(of_file, "EFFORT", networks.Effort(dense=0, rounds=2, each=1, settle=2))
    line = f"prune --network {SHIPPED} --layer conv2 --block 1,8,1,1 --density 0.25 --json -o"
    status, data, _ = run(line, tmp_path)
    assert status == 0
    layers, weights, _ = digits.load(tmp_path / "digits.onnx")
    shipped, before, _ = digits.load()
    for one, was in zip(layers, shipped, strict=True):
        assert replace(one, shift=was.shift) == was
    kept = weights[1].reshape(4, 8, 16, 3, 3).any(1)            # whole blocks, by shape
    assert data["layers"][1]["kept"] == kept.sum() * 8 == weights[1].size // 4
    assert not weights[1][before[1] == 0].any()                 # what was pruned stays so
    noted = digits.metadata(tmp_path / "digits.onnx")["quantised_accuracy"]
    assert f"{data['accuracy']['integer']:.6f}" == noted
    assert data["accuracy"]["before"] > 0.9


@pytest.mark.parametrize("more, rule", [
    ("", "must be a readable ONNX file: it is not ONNX"),
    ("--bits 4", "--bits must come with a network that is trained here"),
    ("--sweep", "--sweep must come with a network that is trained here"),
])
def test_files_that_are_refused(run, tmp_path, more, rule):
    (tmp_path / "bad.onnx").write_text("no network")
    status, _, said = run(f"prune --network {tmp_path / 'bad.onnx'} {more}")
    assert status == 2 and rule in said and said.count("\n") == 1


def test_a_file_is_not_written_over(run):
    status, _, said = run(f"prune --network {SHIPPED} -o {SHIPPED.parent}")
    assert status == 2 and "--out must not be the folder of --network" in said


def test_a_missing_file(run, tmp_path):
    status, _, said = run(f"prune --network {tmp_path / 'none.onnx'}")
    assert status == 2 and "must be a readable ONNX file: No such file or directory" in said
