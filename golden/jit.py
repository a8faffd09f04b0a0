"""Numba's compiler with a cache on disk that is right after any change to golden.

Numba alone notices changes in a function's own file, not in what it calls from other files. Here
the cache's folder is named after the content of all of golden's sources.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numba

GOLDEN = Path(__file__).parent


def sources_key() -> str:
    """Names the content of all of golden's sources."""
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for path in sorted(GOLDEN.rglob("*.py")):
        digest.update(str(path.relative_to(GOLDEN)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _folder() -> Path | None:
    """A folder that can be written, build/ first; None if there is none."""
    temporary = Path(tempfile.gettempdir()) / f"sparseforge-{os.getuid()}"
    for root in (GOLDEN.parent / "build", temporary):
        folder = root / "numba" / sources_key()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None


_CACHE = _folder()
if _CACHE is not None:
    setattr(numba.config, "CACHE_DIR", str(_CACHE))  # noqa: B010 (made at run time)


def njit(function: Any = None, **options: Any) -> Any:
    """`numba.njit` with the cache; without it where no folder can be written."""
    options = {"cache": _CACHE is not None} | options
    return numba.njit(**options)(function) if function is not None else numba.njit(**options)


def borrowed(function: Any) -> Any:
    """`njit` without reference counts: arrays come as arguments, none is made or returned.

    For inner loops over many small views, of whose time the counting would take more than half.
    """
    return njit(function, _nrt=False)
