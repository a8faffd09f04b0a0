"""The command on SCNN: RTL in Icarus, the model, own tensors, refusals."""

import json

import numpy as np
import pytest

from golden import layers
from golden.layers import Layer, Pool
from sparseforge import cli

SHAPE = "--shape 5,9,8,6,3,2 --pad 1 --weight-density 0.4 --activation-density 0.5"


@pytest.fixture
def run(capsys):
    """Runs the command: (status, JSON, stderr)."""
    def call(line, *more):
        status = cli.run([*line.split(), *map(str, more), "--json"])
        captured = capsys.readouterr()
        return status, json.loads(captured.out) if captured.out else None, captured.err
    return call


def test_rtl_and_model_give_the_same(run):
    line = f"scnn --preset tiny {SHAPE} --relu --pool max,2,2"
    status, predicted, _ = run(f"model {line}")
    assert status == 0
    status, data, err = run(f"sim {line} --simulator icarus")
    assert (status, data["mismatches"], data["differences"]) == (0, 0, []), err
    for name, value in predicted.items():
        assert data[name] == value, name
    assert data["cycles"] == data["model_cycles"]
    assert sum(part["slots"] for part in data["waterfall"]) == 18 * data["cycles"]


def test_own_tensors_through_the_rtl(run, tmp_path):
    rng = np.random.default_rng(1)
    weights = rng.integers(-9, 10, (4, 3, 3, 2)) * (rng.random((4, 3, 3, 2)) < 0.5)
    activations = rng.integers(0, 100, (6, 7, 8)) * (rng.random((6, 7, 8)) < 0.5)
    bias = rng.integers(-50, 50, 4)
    for name, value in (("w", weights), ("a", activations), ("b", bias)):
        np.save(tmp_path / f"{name}.npy", value)
    status, data, err = run(
        "sim scnn --preset tiny --simulator icarus --stride 2 --groups 2 --relu --pool avg,2,1",
        "--weights", tmp_path / "w.npy", "--activations", tmp_path / "a.npy",
        "--bias", tmp_path / "b.npy", "--output", tmp_path / "o.npy")
    assert status == 0, err
    layer = Layer(c=6, h=7, w=8, k=4, r=3, s=2, stride=2, groups=2, relu=True, bias=True,
                  out_bits=8, pool=Pool(kind="avg", k=2, s=1))
    expected = layers.reference(layer, weights, activations, bias)
    assert np.array_equal(np.load(tmp_path / "o.npy"), expected.outputs)
    assert data["shift"] == expected.shift


def test_a_chain_on_chip(run):
    """The digits network in one program: only the last layer's outputs leave the chip."""
    status, data, _ = run("model scnn --preset demo --network digits")
    assert status == 0
    assert (data["segments"], data["passes"]) == (1, 3)
    assert data["cycles"] == sum(layer["cycles"] for layer in data["layers"])


def test_a_batch_is_as_many_images(run):
    status, data, _ = run("model scnn --preset demo --network digits --batch 3")
    assert status == 0
    _, one, _ = run("model scnn --preset demo --network digits")
    assert data["macs_dense"] == 3 * one["macs_dense"]


def test_a_real_layer_at_the_paper_s_size(run):
    status, data, _ = run("model scnn --network googlenet --layer inception_5b/5x5")
    assert status == 0
    assert data["dense_multipliers"] == 1024
    assert data["bound_compute"] <= data["cycles"]
    assert data["dense_cycles"] == 128 * -(-48 * 25 // 16)


@pytest.mark.parametrize(("line", "message"), [
    ("--preset tiny --shape 300,4,4,2,1,1", "layer: a PE must hold at most max_channels (50)"),
    ("--preset tiny --shape 4,40,40,6,17,1", "max_kernel"),
    ("--preset tiny --set acc_banks=3 --shape 1,1,1,1,1,1", "acc_banks must be a power of two"),
    ("--set kc=99 --shape 1,1,1,1,1,1", "kc must be 0 (automatic) to max_kc (64), not 99"),
])
def test_refusals(run, line, message):
    status, data, err = run(f"model scnn {line}")
    assert (status, data, err.count("\n")) == (2, None, 1)
    assert message in err
