"""JBIG (ITU-T T.82), the lossless coder of bilevel images, through Debian's ``jbigkit-bin``."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np

ENCODER, DECODER = "pbmtojbg", "jbgtopbm"


class JbigMissing(ValueError):
    """The tool is not installed; the message says how to get it."""


def pbm(image: np.ndarray) -> bytes:
    """A bilevel image, bool [rows, columns], as binary PBM; True is black."""
    if image.ndim != 2 or not image.size:
        raise ValueError(f"a bilevel image must have two sides, not {list(image.shape)}")
    rows, columns = image.shape
    return f"P4\n{columns} {rows}\n".encode() + np.packbits(image, axis=1).tobytes()


def encode(image: np.ndarray) -> bytes:
    """The image, bool [rows, columns], as JBIG: one layer, no resolution steps (``-q``)."""
    return _run([ENCODER, "-q"], pbm(image))


def decode(coded: bytes) -> np.ndarray:
    """The image again, bool [rows, columns]."""
    image = _run([DECODER], coded)
    header = re.match(rb"P4\s+(\d+)\s+(\d+)\s", image)
    assert header is not None
    columns, rows = int(header[1]), int(header[2])
    packed = np.frombuffer(image, np.uint8, offset=header.end()).reshape(rows, -1)
    return np.unpackbits(packed, axis=1, count=columns).astype(bool)


def _run(command: list[str], given: bytes) -> bytes:
    if shutil.which(command[0]) is None:
        raise JbigMissing(f"{command[0]} must be installed to measure irregularity: "
                          "apt-get install jbigkit-bin")
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise ValueError(f"{command[0]} failed: {said[-1]}")
    return done.stdout
