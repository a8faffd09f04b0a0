"""Progress goes to stderr, and only once something lasts."""

import time

import pytest

from sparseforge import progress


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    monkeypatch.setattr(progress, "EVERY", 0.05)


def test_quick_work_says_nothing(capsys):
    assert list(progress.steps(range(3), 3, "counting")) == [0, 1, 2]
    with progress.working("waiting"):
        pass
    assert capsys.readouterr() == ("", "")


def test_long_steps_are_counted(impatient, capsys):
    for _ in progress.steps(range(4), 4, "counting"):
        time.sleep(0.06)
    said = capsys.readouterr()
    assert said.out == ""
    assert "counting: 3 of 4" in said.err


def test_long_work_is_named(impatient, capsys):
    with progress.working("waiting"):
        time.sleep(0.3)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("waiting") >= 2
