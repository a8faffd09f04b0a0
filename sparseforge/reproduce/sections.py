"""The run over a design's sections of tables: what the designs' ``reproduce`` have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Section = Callable[[], dict[str, Any]]      # its docstring's first line is its title


def run(sections: Mapping[str, Section], only: str | None,
        show: Callable[[str, dict[str, Any]], None]) -> dict[str, Any]:
    """The data of each section, or of `only` one, shown with its title as soon as it is there.

    ValueError if there is no section of that name.
    """
    if only is not None and only not in sections:
        raise ValueError(f"--only must be one of {', '.join(sections)}, not {only}")
    data = {}
    for name in [only] if only else sections:
        data[name] = sections[name]()
        show(f"{name}: {(sections[name].__doc__ or '').splitlines()[0]}", data[name])
    return data


def number(value: Any) -> str:
    """A cell: thousands apart, three digits of what is small, a dash for what is not there."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
