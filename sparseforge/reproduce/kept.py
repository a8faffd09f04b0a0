"""Figures that were computed before: kept by what they depend on, so that a long study resumes.

A case's figures depend on the design's compile and models, the networks, the tensors that are drawn
and what is reported of a run: the kept file is named after all of these sources and the case.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from golden.jit import SHARED
from hw.emit import cache_folder

ROOT = Path(__file__).parents[2]
SOURCES = ("golden", "hw/{}/config.py", "sparseforge/networks", "sparseforge/workload.py",
           "sparseforge/runs.py", "sparseforge/report/result.py", "sparseforge/designs/{}.py",
           "sparseforge/reproduce/{}_runs.py")


@cache
def sources(design: str) -> str:
    """Digest of the sources of a design's figures; of golden without the other designs."""
    digest = hashlib.sha256()
    for name in SOURCES:
        path = ROOT / name.format(design)
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            inside = file.relative_to(ROOT).parts
            other = (inside[0] == "golden" and len(inside) > 2
                     and inside[1] not in {*SHARED, design})
            if file.suffix in (".py", ".csv", ".onnx", ".npz") and not other:
                digest.update(str(inside).encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def kept(design: str, case: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` gives for `case`: from the file, or made and put there."""
    name = hashlib.sha256(case.encode()).hexdigest()[:24]
    path = cache_folder() / "reproduce" / f"cases-{design}-{sources(design)}" / f"{name}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    except (OSError, ValueError):
        data = make()
    plain: dict[str, Any] = json.loads(json.dumps(data, default=lambda value: value.tolist()))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(plain, file)
        os.replace(file.name, path)
    except OSError:         # nowhere to keep it
        pass
    return plain
