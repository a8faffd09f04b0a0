"""``sparseforge reproduce tnpu``: the sections that are quick, and what they must say."""

import pytest
from rich.console import Console

from sparseforge.reproduce import tnpu, tnpu_sweeps
from sparseforge.reproduce.tnpu_networks import NETWORKS, benchmark, macs


@pytest.fixture
def console():
    return Console(quiet=True)


def test_slots(console):
    rows = tnpu.reproduce(console, None, "fig5")["fig5"]["rows"]
    assert [(row["slots"], row["paper"]) for row in rows[:2]] == [(250, 250), (152, 152)]


def test_three_transfers_give_the_papers_vgg16(console):
    rows = tnpu.reproduce(console, None, "ideal")["ideal"]["rows"]
    found = {row["network"]: row["w3"] for row in rows}
    assert found["VGG16"] == pytest.approx(1.131, abs=0.005)


def test_networks_are_what_they_say():
    sizes = {name: macs(make()) for name, make in NETWORKS.items()}
    assert sizes["LeNet-5"] == (117_600 + 240_000, 48_000 + 10_080 + 840)
    assert round(sum(sizes["VGG16"]) / 1e9, 1) == 15.5
    for name in NETWORKS:
        assert benchmark(name).layers[0].r == 1


def test_lenet_schedules_in_the_model():
    found = {name: tnpu.modelled("LeNet-5", name) for name in ("sosm", "time_multiplexed",
                                                               "separate")}
    cycles = [one["cycles"] for one in found.values()]
    assert cycles == sorted(cycles) and len(set(cycles)) == 3
    assert found["sosm"]["busy_c"] > found["separate"]["busy_c"] > 0


def test_buffers_of_any_size():
    assert tnpu_sweeps.kilobytes(tnpu_sweeps.PAPER) == 2176
    assert tnpu_sweeps.sized(2176) == tnpu_sweeps.PAPER
    sizes = [tnpu_sweeps.kilobytes(tnpu_sweeps.sized(kb)) for kb in tnpu_sweeps.SIZES]
    assert sizes == sorted(set(sizes)) and sizes[0] <= 64
    assert all(0.6 * kb < size <= kb for kb, size in zip(tnpu_sweeps.SIZES, sizes, strict=True))


def test_gradients_once_per_batch_halve_the_transfers():
    costs = {mode: tnpu_sweeps.costs("LeNet-5", fc_gradients=mode) for mode in ("memory", "batch")}
    beats = {mode: part["f", "GD"].beats for mode, part in costs.items()}
    assert beats["batch"] < beats["memory"] / 10
    better = {mode: tnpu_sweeps.ratios(part)["dadiannao"] for mode, part in costs.items()}
    assert better["batch"] > better["memory"]


def test_only_what_is_there(console):
    with pytest.raises(ValueError, match="--only must be one of fig1"):
        tnpu.reproduce(console, None, "fig3")
