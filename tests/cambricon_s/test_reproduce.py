"""``sparseforge reproduce cambricon_s``: the sections that are quick, and what they must say."""

import numpy as np
import pytest
from rich.console import Console

from golden.layers import Layer
from hw.cambricon_s.config import PRESETS
from sparseforge.reproduce import (
    cambricon_s,
    cambricon_s_plots,
    cambricon_s_runs,
    cambricon_s_sizes,
)


def test_example():
    rows = cambricon_s.reproduce(Console(quiet=True), None, "example")["example"]["rows"]
    assert [row["multiplications"] for row in rows] == [16, 8, 6]
    with pytest.raises(ValueError, match="--only must be one of example"):
        cambricon_s.reproduce(Console(quiet=True), None, "fig1")


def test_blocks_are_drawn_whole():
    layer = Layer(name="conv", c=20, h=3, w=3, k=40, r=3, s=3, groups=2)
    given = cambricon_s_runs.drawn(layer, 0.3, 0.5)
    there = (given.weights != 0).reshape(2, 20, 10, 3, 3)
    for first in (0, 16):
        group = there[:, first:first + 16]
        assert np.array_equal(group.any(1), group.all(1))
    assert len(np.unique(given.weights)) <= 257
    assert np.count_nonzero(given.activations) == 90


def test_compression_beside_the_papers(monkeypatch):
    """Each step is smaller, and blocks need a shorter index than single synapses."""
    monkeypatch.setattr(cambricon_s_sizes, "PAPER_RATIO", {"lenet5": 40})
    row, = cambricon_s.reproduce(Console(quiet=True), None, "compression")["compression"]["rows"]
    assert 1 < row["W_p"] < row["W_q"] <= row["W_c"]
    assert row["index"] < row["fine index"] / 10
    assert row["R_irr"] > 1 and row["paper"] == 40


def test_knee():
    rows = [{"bits": 64 << n, "x": cycles} for n, cycles in enumerate((100, 60, 40, 38, 37))]
    assert cambricon_s.knee(rows, "x") == 256
    assert cambricon_s.knee([{"bits": b, "x": 9} for b in (64, 128)], "x") == 64
    assert cambricon_s.knee([{"bits": 1 << 10 - n, "x": 1 << n} for n in (2, 1, 0)], "x") == 1024


@pytest.mark.regress
def test_each_sparsity_gains():
    layer = Layer.fc("fc", 64, 16)
    given = cambricon_s_runs.drawn(layer, 0.4, 0.5)
    done = {name: cambricon_s_runs.run(layer, given, name, PRESETS["small"])["macs_done"]
            for name in ("dense", "static", "dynamic", "both")}
    assert done["both"] < done["static"] < done["dense"] == layer.macs
    assert done["both"] < done["dynamic"] < done["dense"]


def test_plots(tmp_path):
    """Each section that has a plot draws it."""
    speeds = {"static": 2.0, "dynamic": 1.5, "both": 3.0, "x": 1.8, "ideal": 4.0}
    data = {
        "speedup": [{"network": name, "layer": layer, **speeds} for name in ("alexnet", "vgg16")
                    for layer in ("conv1", "fc6")],
        "sweep": [{"network": "LSTM", "weights": w, "neurons": n, "ideal": 1 / (w * n),
                   "convolutions": None, "FC layers": 0.9 / w} for w in (0.1, 1) for n in (0.5, 1)],
        "bus": [{"bits": bits, "conv3": 5 - n, "fc7": 9 - 2 * n}
                for n, bits in enumerate((64, 128, 256))],
        "moved": [{"network": "alexnet", "layer": "fc6", "synapse bytes": 100, "of 16 bits": 400,
                   "index bytes": 9, "neuron bytes": 30}]}
    drawn = cambricon_s_plots.draw(tmp_path, {name: {"rows": rows} for name, rows in data.items()})
    assert {path.stem for path in drawn} == set(cambricon_s_plots.PLOTS) == set(data)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
