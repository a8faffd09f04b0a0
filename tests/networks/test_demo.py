"""The demo on RTL: two images through every layer, and what it says where something differs."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from golden.scnn.cycles import cycles
from hw.scnn.config import PRESETS
from sparseforge import demo

IMAGES = 2
CONFIG = PRESETS["demo"]


@pytest.fixture(scope="module")
def given():
    return demo.work(IMAGES, CONFIG.acc_bits)


@pytest.fixture(scope="module")
def report(given):
    return cycles(demo.program(given, CONFIG))


@pytest.fixture(scope="module")
def perfect(given, report):
    """What RTL without a fault measures."""
    return demo.Measured(given.logits, report.cycles, *demo.predicted(report, IMAGES))


def test_rtl_equals_golden_and_the_model(capsys):
    assert demo.main(["--images", str(IMAGES)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "2 of 2 digits right" in text
    assert ("all 20 outputs equal golden's; cycles and products of all 6 passes equal the model's"
            in text)
    assert "Why 64 PEs are wrong for it" in text


def test_no_difference_where_all_is_equal(given, report, perfect):
    assert demo.differences(given, report, perfect) == []


@pytest.mark.parametrize("field, change, message", [
    ("logits", [[1] + 9 * [0], 10 * [0]], "outputs: 1 of 20 differ"),
    ("cycles", 1, "cycles: 1 of 1 differ"),
    ("pass_cycles", [[0, 0, 0], [0, 1, 1]], "cycles of a layer: 2 of 6 differ"),
    ("pass_products", [[0, 0, 0], [-1, 0, 0]], "products of a layer: 1 of 6 differ"),
])
def test_a_difference_is_named(given, report, perfect, field, change, message):
    wrong = replace(perfect, **{field: getattr(perfect, field) + np.array(change)})
    assert demo.differences(given, report, wrong) == [message]


def test_a_wrong_digit_shows(given):
    console = Console(width=120)
    logits = given.logits.copy()
    logits[0] = np.eye(10)[(given.labels[0] + 1) % 10]
    with console.capture() as said:
        console.print(demo.digits_table(given, logits))
    assert "1 of 2 digits right" in " ".join(said.get().split())


def test_too_many_images_are_refused(capsys):
    assert demo.main(["--images", "100000"]) == 2
    said = capsys.readouterr()
    assert said.err == "sparseforge.demo: --images must be 1 to 599, not 100000\n"
    assert said.out == ""


def test_a_preset_too_small_for_the_planes_is_refused(capsys):
    assert demo.main(["--images", "1", "--preset", "small"]) == 2
    assert "the preset must hold the network's planes on chip" in capsys.readouterr().err
