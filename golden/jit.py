"""Numba's compiler with a cache on disk that is right after any change to golden.

Numba alone notices changes in a function's own file, not in what it calls from other files. Here
the cache's folder is named after the content of the file and of all of the project's that it
imports.
"""

from __future__ import annotations

import ast
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numba

GOLDEN = Path(__file__).parent
SHARED = {"formats", "dense"}       # folders that belong to no design


def _owner(path: Path) -> str:
    """The design whose folder holds a source; "" if it is shared."""
    parts = path.relative_to(GOLDEN).parts
    return parts[0] if len(parts) > 1 and parts[0] not in SHARED else ""


def sources_key(design: str = "") -> str:
    """Names the content of golden's sources; with `design`, but for the other designs'."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for path in sorted(GOLDEN.rglob("*.py")):
        if not design or _owner(path) in ("", design):
            digest.update(str(path.relative_to(GOLDEN)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _imports(path: Path) -> Iterator[Path]:
    """Files of the project that a file imports."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            file = GOLDEN.parent.joinpath(*name.split(".")).with_suffix(".py")
            if file.is_file():
                yield file


def reached(path: Path) -> list[Path]:
    """A file and all of the project's that it imports, and that those import."""
    found, wanted = {path}, [path]
    while wanted:
        more = set(_imports(wanted.pop())) - found
        found |= more
        wanted += more
    return sorted(found)


@cache
def _folder(source: Path) -> Path | None:
    """A folder for the functions of a file that can be written, build/ first; None if there is
    none."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for path in reached(source):
        digest.update(str(path).removeprefix(str(GOLDEN.parent)).encode() + path.read_bytes())
    temporary = Path(tempfile.gettempdir()) / f"sparseforge-{os.getuid()}"
    for root in (GOLDEN.parent / "build", temporary):
        folder = root / "numba" / digest.hexdigest()[:16]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None


def njit(function: Any = None, **options: Any) -> Any:
    """`numba.njit` with the cache; without it where no folder can be written."""
    if function is None:
        return lambda later: njit(later, **options)
    folder = _folder(Path(function.__code__.co_filename))
    if folder is not None:
        # Numba looks at it as it decorates.
        setattr(numba.config, "CACHE_DIR", str(folder))  # noqa: B010 (made at run time)
    return numba.njit(**{"cache": folder is not None} | options)(function)


def borrowed(function: Any) -> Any:
    """`njit` without reference counts: arrays come as arguments, none is made or returned.

    For inner loops over many small views, of whose time the counting would take more than half.
    """
    return njit(function, _nrt=False)
