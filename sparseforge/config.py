"""CONFIG: ``[--preset P] [--config FILE.toml] [--set NAME=VALUE ...]``, in this order."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DEFAULT = "paper"


def configure(presets: Mapping[str, Any], preset: str | None = None, file: Path | None = None,
              changes: Sequence[str] = ()) -> tuple[str, Any]:
    """(preset's name, config). The file may name its own preset; --preset beats it.

    Raises ValueError naming an unknown preset or parameter, a value of the wrong type, or the
    config's own complaint.
    """
    table = _read(file) if file else {}
    named = table.pop("preset", None)
    name = preset or named or DEFAULT
    if name not in presets:
        raise ValueError(f"preset must be one of {', '.join(presets)}, not {name}")
    base = presets[name]
    values = {key: _typed(base, key, value) for key, value in table.items()}
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise ValueError(f"--set must be NAME=VALUE, not {change}")
        values[key.strip()] = _parse(base, key.strip(), text.strip())
    return name, dataclasses.replace(base, **values)


def as_dict(name: str, config: Any) -> dict[str, Any]:
    """Plain values for JSON, the preset's name first."""
    return {"preset": name, **dataclasses.asdict(config)}


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise ValueError(f"--config {file}: must be a readable file: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"--config {file}: must be TOML: {error}") from None


def _check(base: Any, key: str) -> Any:
    """The preset's value of a parameter."""
    known = [field.name for field in dataclasses.fields(base) if field.init]
    if key not in known:
        near = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise ValueError(f"{key} must be a parameter of {type(base).__name__}: {hint}")
    return getattr(base, key)


def _words(base: Any, key: str) -> dict[Any, Any]:
    """Words that a parameter takes for values: `WORDS` of its configuration's class."""
    words: dict[str, dict[Any, Any]] = getattr(base, "WORDS", {})
    return words.get(key, {})


def _typed(base: Any, key: str, value: Any) -> Any:
    wanted = type(_check(base, key))
    value = _words(base, key).get(value, value)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ValueError(f"{key} must be of type {wanted.__name__}, not {value!r}")
    return value


def _parse(base: Any, key: str, text: str) -> Any:
    """`text` as the type that the preset has."""
    wanted = type(_check(base, key))
    if text in _words(base, key):
        return _words(base, key)[text]
    if wanted is str:
        return text
    if wanted is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{key} must be true or false, not {text}")
        return text.lower() == "true"
    try:
        return int(text, 0) if wanted is int else wanted(text)
    except ValueError:
        kind = {int: "a whole number", float: "a number"}.get(wanted, wanted.__name__)
        kind = " or ".join([kind, *map(str, _words(base, key))])
        raise ValueError(f"{key} must be {kind}, not {text!r}") from None
