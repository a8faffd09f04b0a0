"""Synthesis results for people and for comparison with a paper: tables, and blocks into rows."""

from fnmatch import fnmatchcase

from rich.table import Table

# A static RAM cell in transistors over the four of a NAND2: six for the first port, two more for
# each further one. Cells alone, no decoders or amplifiers.
FIRST_PORT_GE, NEXT_PORT_GE = 6 / 4, 2 / 4


def memory_gate_equivalents(memory):
    """What the bits of one memory (as in a result's ``memories``) would be in NAND2 areas."""
    ports = max(1, memory["read_ports"] + memory["write_ports"])
    return memory["bits"] * (FIRST_PORT_GE + NEXT_PORT_GE * (ports - 1))


def group(result, rows, *, rest="other"):
    """A result's blocks summed into rows, such as those of a paper's area table.

    `rows`: list of (pattern of module names as in fnmatch, row); the first that fits wins. A block
    that no pattern fits belongs to its parent's row; the top, unless a pattern fits, to `rest`.
    Returns row → ``flipflops``, ``gate_equivalents`` (logic and flip-flops), ``memory_bits``,
    ``memory_ge`` (`memory_gate_equivalents`) and ``share`` of all gate equivalents, memories
    included. Rows stand in the order of `rows`, `rest` last.
    """
    blocks = result["blocks"]
    sums = {row: {"flipflops": 0, "gate_equivalents": 0.0, "memory_bits": 0, "memory_ge": 0.0}
            for row in [*(row for _, row in rows if row != rest), rest]}
    for (module, row), times in _placed(result["design"], blocks, rows, rest).items():
        block, entry = blocks[module], sums[row]
        for key in ("flipflops", "gate_equivalents", "memory_bits"):
            entry[key] += times * block[key]
        entry["memory_ge"] += times * sum(map(memory_gate_equivalents, block["memories"]))
    whole = sum(e["gate_equivalents"] + e["memory_ge"] for e in sums.values())
    for entry in sums.values():
        for key in ("gate_equivalents", "memory_ge"):
            entry[key] = round(entry[key], 2)
        size = entry["gate_equivalents"] + entry["memory_ge"]
        entry["share"] = round(size / whole, 6) if whole else 0.0
    return sums


def _placed(top, blocks, rows, rest):
    """(module, row) → how often that module is in the design in that row."""
    def row_of(module, inherited):
        return next((row for pattern, row in rows if fnmatchcase(module, pattern)), inherited)
    found, todo = {}, {(top, row_of(top, rest)): 1}
    while todo:     # level by level: a level holds few distinct (module, row), however many PEs
        below = {}
        for (module, row), times in todo.items():
            found[module, row] = found.get((module, row), 0) + times
            for child, n in blocks[module]["children"].items():
                key = child, row_of(child, row)
                below[key] = below.get(key, 0) + n * times
        todo = below
    return found


def merged(result):
    """Blocks with the same text as one: list of (module, block, instances of all of them)."""
    blocks, instances = result["blocks"], {}
    for block in blocks.values():
        instances[block["same_as"]] = instances.get(block["same_as"], 0) + block["instances"]
    return [(name, blocks[name], n) for name, n in instances.items()]


def table(result):
    """A rich table of a result: largest block first, of one instance and of all, and the sum."""
    area = "area_um2" in result["total"]
    depth = "path_ps" if area else "levels"
    out = Table(title=f"{result['design']} on {result['target']}")
    out.add_column("block")
    for title in ["instances", "cells", "flip-flops", "NAND2", *(["µm²"] if area else []),
                  "memory bits", "path ps" if area else "levels", "NAND2 of all", "% logic"]:
        out.add_column(title, justify="right")
    whole = result["total"]["gate_equivalents"] or 1
    for name, block, n in sorted(merged(result), key=lambda e: -e[2] * e[1]["gate_equivalents"]):
        size = n * block["gate_equivalents"]
        out.add_row(name, f"{n:,}", *_cells(block, area), f"{block[depth]:,.0f}", f"{size:,.0f}",
                    f"{100 * size / whole:.1f}")
    out.add_section()
    total = result["total"]
    out.add_row("all", "", *_cells(total, area), f"{total[depth]:,.0f}", f"{whole:,.0f}", "100.0")
    return out


def _cells(entry, area):
    return [f"{entry['cell_count']:,}", f"{entry['flipflops']:,}",
            f"{entry['gate_equivalents']:,.0f}", *([f"{entry['area_um2']:,.0f}"] if area else []),
            f"{entry['memory_bits']:,}"]


def rows_table(rows, title, published=None):
    """A rich table of `group`'s rows; `published`: row → the paper's share in percent."""
    out = Table(title=title)
    out.add_column("row")
    titles = ["NAND2", "memory bits", "as NAND2", "share %"]
    for name in titles + (["paper %"] if published else []):
        out.add_column(name, justify="right")
    for row, entry in rows.items():
        paper = [f"{published[row]:g}" if row in published else ""] if published else []
        out.add_row(row, f"{entry['gate_equivalents']:,.0f}", f"{entry['memory_bits']:,}",
                    f"{entry['memory_ge']:,.0f}", f"{100 * entry['share']:.1f}", *paper)
    return out
