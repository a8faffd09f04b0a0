"""Functions that become part of their callers: a call would copy every array of the tuples that it
takes, which in the cycle loop costs more than what most of them do."""

from __future__ import annotations

from typing import Any

from golden.jit import njit


def inlined(function: Any) -> Any:
    """`golden.jit.borrowed`, and inlined."""
    return njit(function, _nrt=False, inline="always")
