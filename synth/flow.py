"""Synthesis of any component: cells, flip-flops, gate equivalents, memory bits, area, per block.

A block is one module of what `hw.emit` writes. Each is synthesised alone, its children black
boxes, once per distinct text, and counted as often as it is in the design. Nothing is optimised
across the boundaries of blocks, and no path is followed across them. Memories of at least
``sram_bits`` bits that are written are kept and counted as bits; gate equivalents and area do not
include them. Results are the same bytes whatever the number of jobs.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from hw.emit import cache_folder, emit, write_atomically
from synth.modules import alone, counts, modules
from synth.target import TECHNOLOGIES, TargetError, target

__all__ = ["RESULTS", "SRAM_BITS", "TECHNOLOGIES", "SynthError", "TargetError", "save",
           "synthesise", "synthesise_verilog"]

# One bank of SCNN's accumulators at the paper's size (32 × 24 bits) is a memory, as in the paper;
# FIFOs of a few words are flip-flops.
SRAM_BITS = 512
RESULTS = Path(__file__).parent / "results"
_SCRIPT = Path(__file__).with_name("_yosys.py")


class SynthError(RuntimeError):
    """Yosys cannot synthesise a block; the message names the block and Yosys's reason."""


def synthesise(component, *, name="top", target="generic", liberty=None, sram_bits=SRAM_BITS,
               jobs=2, progress=None):
    """Synthesises a component with all it contains; see `synthesise_verilog` for the result.

    Parameters
    ----------
    component : wiring.Component
    name : str
        The top module's name, a Verilog identifier; also the result's ``design``.
    target : str
        "generic", "osu018", "osu035" or the path of a Liberty file.
    liberty : path or None
        A Liberty file; wins over `target`.
    sram_bits : int
        Memories of at least so many bits are counted as bits.
    jobs : int
        Blocks synthesised at a time.
    progress : callable or None
        Called as ``progress(done, total, module)`` after each distinct block.

    Raises
    ------
    TargetError, SynthError, hw.emit.EmitError, ValueError (sram_bits)
    """
    _check_sram_bits(sram_bits)
    onto = _target(target, liberty)    # a bad target is known before a long emission
    emitted = emit(component, name)
    return synthesise_verilog(emitted.verilog, name, onto, sram_bits=sram_bits, jobs=jobs,
                              progress=progress)


_target = target    # the parameter of `synthesise` hides it


def synthesise_verilog(verilog, top, onto, *, sram_bits=SRAM_BITS, jobs=2, progress=None):
    """Synthesises Verilog as `hw.emit` writes it onto a `synth.target.Target`. Returns plain data:

    ``design``, ``target``, ``sram_bits``, ``tool`` and
    ``blocks``: module → ``instances`` in the design, ``children`` (module → number in one
    instance), ``same_as`` (the module whose text it shares, itself if none is before it), and of
    one instance without its children: ``cells`` (type → number), ``cell_count``, ``flipflops``,
    ``gate_equivalents`` (NAND2 = 1), ``memories`` (name, width, depth, read_ports, write_ports,
    bits), ``memory_bits``, and ``levels`` (generic; gates on the longest path) or ``area_um2`` and
    ``path_ps`` (Liberty; the path is through gates alone, without wires or flip-flops).
    ``total``: instances × those numbers, summed; ``levels`` or ``path_ps`` is the largest.
    ``weights``: gate equivalents of each cell that occurs.
    """
    _check_sram_bits(sram_bits)
    known = modules(verilog)
    number = counts(known, top)
    first = {}      # text → the module that stands for all with it
    for name, module in known.items():
        first.setdefault(alone(module, known), name)
    costs = _run_all(first, onto, sram_bits, jobs, progress)
    blocks = {}
    for name, module in known.items():
        same_as = first[alone(module, known)]
        blocks[name] = {"instances": number[name], "children": module.children,
                        "same_as": same_as, **costs[same_as]}
    kinds = sorted({kind for block in blocks.values() for kind in block["cells"]})
    return {"design": top, "target": onto.name, "sram_bits": sram_bits,
            "tool": f"pyosys {version('pyosys')}", "blocks": blocks, "total": _total(blocks),
            "weights": {kind: round(onto.weights[kind], 4) for kind in kinds}}


def _check_sram_bits(sram_bits):
    if sram_bits < 1:
        raise ValueError(f"sram_bits must be at least 1, not {sram_bits}")


def save(result, folder=RESULTS):
    """Writes a result as ``folder/<design>.json``, whole or not at all; returns the path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['design']}.json"
    write_atomically(path, json.dumps(result, indent=1) + "\n")
    return path


def _total(blocks):
    summed = ["cell_count", "flipflops", "gate_equivalents", "memory_bits", "area_um2"]
    total = {key: sum(b["instances"] * b[key] for b in blocks.values())
             for key in summed if key in next(iter(blocks.values()))}
    for key in ("gate_equivalents", "area_um2"):
        if key in total:
            total[key] = round(total[key], 2)
    for key in ("levels", "path_ps"):
        if key in next(iter(blocks.values())):
            total[key] = max(b[key] for b in blocks.values())
    return total


def _run_all(first, onto, sram_bits, jobs, progress):
    """Module → cost of one instance, for the modules of `first` (text → module)."""
    costs, done = {}, 0

    def run(item):
        text, name = item
        return name, _cost(_run(name, text, onto, sram_bits), onto)
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        for name, cost in pool.map(run, first.items()):
            costs[name], done = cost, done + 1
            if progress:
                progress(done, len(first), name)
    return costs


def _run(name, text, onto, sram_bits):
    """What `synth._yosys` finds for one text; kept under the build folder by content."""
    content = [version("pyosys"), _SCRIPT.read_text(), onto.text, str(sram_bits), text]
    digest = hashlib.sha256("\0".join(content).encode()).hexdigest()[:24]
    folder = cache_folder() / "synth"
    kept = folder / f"{digest}.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _yosys(name, text, onto, sram_bits, Path(scratch))
            os.replace(Path(scratch) / "cells.json", kept)
    return json.loads(kept.read_text())


def _yosys(name, text, onto, sram_bits, scratch):
    (scratch / "block.v").write_text(text)
    command = [sys.executable, str(_SCRIPT), str(sram_bits)]
    if onto.liberty:
        (scratch / "cells.lib").write_text(onto.text)    # Yosys splits paths with spaces
        command.append("cells.lib")
    run = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
    if run.returncode and onto.liberty and "return code 139" in _reason(run, scratch):
        # ABC's upsize crashes on some netlists: their gates then stay as they were mapped.
        run = subprocess.run([*command, "same"], cwd=scratch, capture_output=True, text=True)
    if run.returncode:
        raise SynthError(f"block {name}: Yosys cannot synthesise it: {_reason(run, scratch)}")


def _reason(run, scratch):
    """One line that says why a run of Yosys failed."""
    path = scratch / "path.log"
    said = (path.read_text() if path.exists() else "") + run.stdout + run.stderr
    lines = [line for line in said.splitlines() if re.search(r"ERROR|ABC: Error", line)]
    return lines[0].strip() if lines else f"it ended with status {run.returncode}"


def _cost(found, onto):
    """The numbers of one block from its cells and memories."""
    cells = found["cells"]
    unknown = sorted(set(cells) - set(onto.weights))
    if unknown:
        raise SynthError(f"target {onto.name} has no cell for {', '.join(unknown)}")
    memories = [{**memory, "bits": memory["width"] * memory["depth"]}
                for memory in found["memories"]]
    cost = {"cells": cells, "cell_count": sum(cells.values()),
            "flipflops": sum(n for kind, n in cells.items() if kind in onto.flipflops),
            "gate_equivalents": round(sum(n * onto.weights[kind] for kind, n in cells.items()), 2),
            "memories": memories, "memory_bits": sum(memory["bits"] for memory in memories)}
    if onto.areas is not None:
        cost["area_um2"] = round(sum(n * onto.areas[kind] for kind, n in cells.items()), 2)
    return {**cost, **{key: found[key] for key in ("levels", "path_ps") if key in found}}
