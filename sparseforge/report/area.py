"""``sparseforge synth``: a design's area by block, for people and as plain data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from sparseforge import progress
from sparseforge.config import as_dict
from sparseforge.errors import RunFailed, user_input
from sparseforge.registry import Design


def synthesise(design: Design, preset: str, config: Any, block: str | None, target: str,
               liberty: Path | None) -> dict[str, Any]:
    """The whole design or one block with all that it contains; see `synth.flow` for the data.

    ValueErrors (a bad target, an unknown block) are the user's; RunFailed if Yosys gives up.
    """
    from hw.emit import emit
    from synth import flow
    from synth.target import target as choose
    with user_input():
        onto = choose(target, liberty)
        top = design.top(config)
    with progress.working(f"emitting {design.name} ({preset})"):
        emitted = emit(top, design.name, config=config)
    verilog, root = emitted.verilog, design.name
    if block is not None:
        with user_input():
            root = _find(block, emitted.manifest["blocks"])
        verilog = _below(verilog, root)
    try:
        with progress.working(f"synthesising {root} onto {onto.name}"):
            data = flow.synthesise_verilog(verilog, root, onto, jobs=os.cpu_count() or 1)
    except flow.SynthError as error:
        raise RunFailed(str(error)) from error
    names = {b["name"]: b.get("component", b["name"]) for b in emitted.manifest["blocks"]}
    for name, one in data["blocks"].items():
        one["component"] = names.get(name, name)
    return {"design": design.name, "config": as_dict(preset, config), "block": root,
            **{key: value for key, value in data.items() if key != "design"}}


def _find(wanted: str, blocks: list[dict[str, Any]]) -> str:
    """The module that `wanted` names: its own name, or its component's if only one is of it."""
    names = [b["name"] for b in blocks]
    if wanted in names:
        return wanted
    of_class = [b["name"] for b in blocks if b.get("component", "").lower() == wanted.lower()]
    if len(of_class) == 1:
        return of_class[0]
    choice = of_class or [n for n in names if wanted.lower() in n.lower()] or names
    raise ValueError(f"--block must be one of {', '.join(choice)}, not {wanted}")


def _below(verilog: str, root: str) -> str:
    """The modules that `root` contains, itself included."""
    from synth.modules import modules
    known = modules(verilog)
    found, todo = set(), [root]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += known[name].children
    return "\n\n".join(module.text for name, module in known.items() if name in found) + "\n"


def show(console: Console, data: Mapping[str, Any]) -> None:
    """The blocks' table."""
    from synth.report import table
    console.print(table({**data, "design": f"{data['block']}, preset {data['config']['preset']}"}))
    console.print(f"memories of {data['sram_bits']} bits or more are counted as bits, not as "
                  f"gates; paths are of one block's gates, without wires", highlight=False)
