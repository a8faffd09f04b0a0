"""Where results go: refused before the work if they cannot, and never half-written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sparseforge.errors import user_input


def made_folder(place: Path) -> Path:
    """`place`, made if need be. ValueError if nothing can be written there."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        _try(place)
    except OSError as error:
        raise ValueError(f"{place}: must be a folder that can be written: "
                         f"{error.strerror}") from None
    return place


def writable(path: Path) -> None:
    """ValueError if no file can be written beside `path`."""
    try:
        _try(path.parent)
    except OSError as error:
        raise ValueError(f"{path}: must be in a folder that can be written: "
                         f"{error.strerror}") from None


def _try(folder: Path) -> None:
    """os.access knows neither root nor full disks."""
    with tempfile.TemporaryFile(dir=folder):
        pass


def write_array(path: Path, values: np.ndarray) -> None:
    """`values` as ``.npy``: under a temporary name first."""
    def fill(name: str) -> None:
        with open(name, "wb") as file:
            np.save(file, values)
    _write(path, fill)


def write_text(path: Path, text: str) -> None:
    """`text` as a file: under a temporary name first."""
    _write(path, lambda name: Path(name).write_text(text))


def _write(path: Path, fill: Callable[[str], object]) -> None:
    with user_input():
        writable(path)
        fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(fd)
        try:
            fill(name)
            os.chmod(name, 0o644)
            os.replace(name, path)
        except OSError as error:
            os.unlink(name)
            raise ValueError(f"{path}: must be writable: {error.strerror}") from None
