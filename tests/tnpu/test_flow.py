"""Training and sparse inference in one flow: trained, pruned, classified by the others' RTL."""

import json

import pytest

from sparseforge import cli

DESIGNS = {"scnn": "demo", "cambricon_s": "small", "s2engine": "small"}


def answer(capsys, line):
    """What a command prints with --json."""
    capsys.readouterr()
    assert cli.run([*line.split(), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.regress
def test_trained_pruned_and_classified(capsys, tmp_path):
    trained = tmp_path / "digits.onnx"
    exported = answer(capsys, f"train tnpu --epochs 12 --export {trained} -o {tmp_path}")["export"]
    pruned = answer(capsys, f"prune --network {trained} -o {tmp_path / 'pruned'}")
    assert exported["accuracy"] > 0.96 and pruned["accuracy"]["integer"] > 0.95
    assert [one["density"] for one in pruned["layers"]] == [1, 0.5, 0.5]
    said = set()
    for design, preset in DESIGNS.items():
        ran = answer(capsys, f"sim {design} --preset {preset} --batch 4 --network "
                             f"{tmp_path / 'pruned' / 'digits.onnx'}")
        assert ran["mismatches"] == 0 and ran["model_cycles"] == ran["cycles"]
        said.add(tuple(ran["recognised"]))
    assert len(said) == 1       # every design gives the same integers
    right = sum(a == b for a, b in zip(*said, ran["labels"], strict=True))
    assert right >= 3
