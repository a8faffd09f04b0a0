"""The suite fails if a design's whole suite ran and left a cover point out (`sim.common.cover`)."""

import importlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from sim.common import cover

TESTS = Path(__file__).parent
WHOLE = ".whole"        # in a design's folder of hits: its whole suite was selected


def pytest_configure(config):
    if not hasattr(config, "workerinput"):          # workers inherit the environment
        os.environ[cover.FOLDER] = tempfile.mkdtemp(prefix="sparseforge-cover-")


@pytest.hookimpl(tryfirst=True)         # before -m deselects
def pytest_collection_modifyitems(config, items):
    option = config.option
    if option.keyword or option.markexpr not in ("", "not regress") or any(
            "::" in argument for argument in config.args):
        return
    selected = {item.path for item in items}
    for folder in {path.parent for path in selected}:
        if selected.issuperset(folder.glob("test_*.py")) and folder != TESTS:
            cover.hit(folder.name, [WHOLE])


def _left_out():
    """Design -> cover points that its whole suite did not hit."""
    out = {}
    for mark in Path(os.environ[cover.FOLDER]).glob("*/_whole"):
        name = mark.parent.name
        if not (TESTS.parent / "sim" / name / "run.py").exists():       # tests of no design
            continue
        rtl = getattr(importlib.import_module(f"sim.{name}.run"), "RTL", None)
        if rtl is None:                                     # a design that names no points yet
            continue
        points = cover.missing(rtl.name, rtl.cover_points)
        if points:
            out[rtl.name] = points
    return out


def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        session.config.left_out = _left_out()
        shutil.rmtree(os.environ.pop(cover.FOLDER), ignore_errors=True)
        if session.config.left_out and not session.config.option.collectonly:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    for design, points in getattr(config, "left_out", {}).items():
        terminalreporter.section(f"{design}: cover points that no test hit", red=True)
        for point in points:
            terminalreporter.line(point)
