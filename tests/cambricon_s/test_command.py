"""The command on Cambricon-S: synthetic weights in its blocks, or unstructured; what it says."""

import json

import pytest

from sparseforge import cli

SHAPE = "--shape 16,6,6,32,3,3 --pad 1 --weight-density 0.25 --activation-density 0.5"
SMALL = f"model cambricon_s --preset small {SHAPE}"


@pytest.fixture
def run(capsys):
    def call(line):
        assert cli.run(line.split()) == 0
        text = capsys.readouterr().out
        return json.loads(text) if "--json" in line else " ".join(text.split())
    return call


def test_weights_in_blocks_are_what_an_index_can_share(run):
    """By default in the paper's blocks; one by one, four PEs share an index of 1 - 0.75⁴."""
    blocks, fine = run(f"{SMALL} --json"), run(f"{SMALL} --weight-block 1,1,1,1 --json")
    for data, density, remarks in ((blocks, 0.25, 0), (fine, 1 - 0.75 ** 4, 1)):
        assert data["index_density"] == pytest.approx([density], abs=0.03)
        assert len(data["remarks"]) == remarks
        assert data["speedup"] > 1
    assert blocks["cycles"] < fine["cycles"]
    assert blocks["macs_dense"] == fine["macs_dense"]
    assert "share has a density of 0.6" in run(f"{SMALL} --weight-block 1,1,1,1")
    assert "share has a density" not in run(SMALL)


def test_comparison_shows_both_kinds(run):
    """At equal density: the design's blocks, and weights that are zero one by one."""
    found = run(f"compare {SHAPE} --designs cambricon_s --json")["designs"]
    assert list(found) == ["cambricon_s", "cambricon_s, unstructured weights"]
    blocks, fine = found.values()
    assert blocks["cycles"] < fine["cycles"]
    assert blocks["macs_effectual"] == pytest.approx(fine["macs_effectual"], rel=0.05)
