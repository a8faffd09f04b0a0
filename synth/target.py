"""What is synthesised onto: generic gates with fixed weights, or the cells of a Liberty file."""

import re
from dataclasses import dataclass
from pathlib import Path

# Gate equivalents of Yosys's own gates: the areas of the osu018 cells over that of its NAND2X1
# (NMUX and the 4-input forms do not occur). A flip-flop with enable or reset is a plain one and
# the gates that make its next value.
GENERIC = {"$_NOT_": 16 / 24, "$_NAND_": 1.0, "$_NOR_": 1.0, "$_XOR_": 56 / 24,
           "$_XNOR_": 56 / 24, "$_MUX_": 48 / 24, "$_AOI3_": 32 / 24, "$_OAI3_": 32 / 24,
           "$_DFF_P_": 96 / 24}
GENERIC_FLIPFLOP = "$_DFF_P_"
QFLOW = Path("/usr/share/qflow/tech")
TECHNOLOGIES = {"osu018": QFLOW / "osu018" / "osu018_stdcells.lib",
                "osu035": QFLOW / "osu035" / "osu035_stdcells.lib"}


class TargetError(ValueError):
    """The target is unknown, missing or unusable; the message names it and the rule."""


@dataclass(frozen=True)
class Target:
    """A target: ``name``; ``weights``, cell → gate equivalents; ``flipflops``, cell names.

    With a Liberty file also ``liberty`` (its path), ``areas`` (cell → area in the file's unit, µm²
    in those of qflow) and ``text`` (the file's content).
    """

    name: str
    weights: dict
    flipflops: frozenset
    liberty: Path | None = None
    areas: dict | None = None
    text: str = ""


def target(name="generic", liberty=None):
    """The target ``name``: "generic", "osu018", "osu035", or the path of a Liberty file.

    `liberty` (a path) wins over `name`. Raises TargetError.
    """
    if liberty is None and name == "generic":
        return Target("generic", GENERIC, frozenset({GENERIC_FLIPFLOP}))
    if liberty is None and name in TECHNOLOGIES:
        path = TECHNOLOGIES[name]
        if not path.exists():
            raise TargetError(f"target {name}: {path} is missing; install it with "
                              f"`apt-get install qflow-tech-{name}`")
        return _from_liberty(name, path)
    path = Path(liberty if liberty is not None else name)
    if liberty is None and path.suffix != ".lib":
        raise TargetError(f"target must be generic, {', '.join(TECHNOLOGIES)} or a Liberty file "
                          f"(*.lib), not {name!r}")
    if not path.is_file():
        raise TargetError(f"Liberty file {path}: there is no such file")
    return _from_liberty(path.stem, path.absolute())


def _from_liberty(name, path):
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as e:
        raise TargetError(f"Liberty file {path}: cannot be read: {e}") from None
    areas, flipflops = _cells(text)
    nands = [area for cell, area in areas.items() if re.search(r"nand2", cell, re.I) and area > 0]
    if not nands or not flipflops:
        raise TargetError(f"Liberty file {path}: must hold a cell named like NAND2 with an area, "
                          f"and a flip-flop")
    unit = min(nands)
    return Target(name, {cell: area / unit for cell, area in areas.items()}, frozenset(flipflops),
                  path, areas, text)


def _cells(text):
    """(cell → area, names of the flip-flops) of a Liberty text."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    areas, flipflops = {}, set()
    for part in re.split(r"\bcell\s*\(", text)[1:]:
        name = part[:part.index(")")].strip().strip('"')
        area = re.search(r"\barea\s*:\s*([0-9.eE+-]+)", part)
        areas[name] = float(area[1]) if area else 0.0
        if re.search(r"\bff\s*\(", part):
            flipflops.add(name)
    return areas, flipflops
