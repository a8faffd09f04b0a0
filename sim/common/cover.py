"""Cover points: rare events by name, which a design's tests must have seen happen.

A design names its points beside its RTL (``sim/<design>/cover.py``) and hands them to `DesignRTL`:

- a `Point` is seen in the RTL: a condition over signals of one emitted module. `instrument` puts
  a monitor for it into the module's Verilog, before the simulator is built; it speaks once per
  instance, so it costs next to nothing.
- a *fact* is read off a program that ran on the RTL without an error: what compile decided (tiles,
  hops, chunks), which no signal says better.

With ``SPARSEFORGE_COVER`` (set by ``tests/conftest.py``) naming a folder, each point hit leaves a
file there, from whatever process; the suite fails if a design's whole suite left one out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hw.emit import Emitted

FOLDER = "SPARSEFORGE_COVER"
SAID = "cover point hit: "      # a line of the simulator's log


@dataclass(frozen=True)
class Point:
    """`when` (a Verilog expression) holds at an edge of the clock of the emitted module `module`.

    A module of a `Shared` block is named after its component, one inside it ``PE_fifo`` after its
    place; variants (``…$1``) count as the same. Where a build has no such module, or the module not
    all of the signals, the point is left out of that build.
    """

    name: str
    module: str
    when: str


def bus_points(top: str) -> tuple[Point, ...]:
    """The memory holds each channel that the emitted Top `top` drives, and withholds the others."""
    held = (Point(f"{channel.upper()} held by the memory", top,
                  f"memory__{channel}__valid & ~memory__{channel}__ready")
            for channel in ("ar", "aw", "w"))
    withheld = (Point(f"{channel.upper()} withheld by the memory", top,
                      f"memory__{channel}__ready & ~memory__{channel}__valid")
                for channel in ("r", "b"))
    return (*held, *withheld)


def some_pass(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """The fact that some pass of a program has it."""
    return lambda program: any(map(holds, program.passes))


def instrument(emitted: Emitted, points: Sequence[Point]) -> Emitted:
    """`emitted` with a monitor for each point in every variant of its module."""
    def watched(found: re.Match[str]) -> str:
        name, body = found["name"].removeprefix("\\"), found["body"]
        mine = [p for p in points if name == p.module or name.startswith(f"{p.module}$")]
        text = "".join(_monitor(n, point, body) for n, point in enumerate(mine))
        return f"{found['head']}{body}{text}endmodule"

    pattern = r"^(?P<head>module (?P<name>[^\s(]+))(?P<body>.*?)^endmodule"
    return replace(emitted, verilog=re.sub(pattern, watched, emitted.verilog,
                                           flags=re.S | re.M)) if points else emitted


def _monitor(number: int, point: Point, body: str) -> str:
    clocks = re.findall(r"^ *input (\w*clk)\b", body, re.M)
    names = re.findall(r"(?<![\w'$])[A-Za-z_]\w*", point.when)
    if not clocks or not all(re.search(rf"(?<!\w){name}(?!\w)", body) for name in names):
        return ""
    return (f"  reg cover_{number} = 0;\n"
            f"  always @(posedge {clocks[0]}) if (!cover_{number} && ({point.when})) begin\n"
            f"    cover_{number} <= 1;\n    $display(\"{SAID}{point.name}\");\n  end\n")


def hit(design: str, names: Iterable[str]) -> None:
    """Notes points of a design."""
    if FOLDER in os.environ:
        folder = Path(os.environ[FOLDER]) / design
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / re.sub(r"\W+", "_", name)).touch()


def said(log: str) -> set[str]:
    """The points that a simulation's log names."""
    return set(re.findall(rf"{SAID}(.*?)\s*$", log, re.M))


def missing(design: str, names: Iterable[str]) -> list[str]:
    """The points of `names` that were not hit."""
    folder = Path(os.environ[FOLDER]) / design
    return [name for name in names if not (folder / re.sub(r"\W+", "_", name)).exists()]
