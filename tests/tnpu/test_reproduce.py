"""``sparseforge reproduce tnpu``: the sections that are quick, and what they must say."""

import pytest
from rich.console import Console

from sparseforge.reproduce import tnpu
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
    cycles = {name: tnpu.per_instance("LeNet-5", name) for name in ("sosm", "time_multiplexed",
                                                                    "separate")}
    assert cycles["sosm"] < cycles["time_multiplexed"] < cycles["separate"]


def test_only_what_is_there(console):
    with pytest.raises(ValueError, match="--only must be one of fig1"):
        tnpu.reproduce(console, None, "fig3")
