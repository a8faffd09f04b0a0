"""Run by `synth.flow` in a process of its own: ``block.v`` → ``cells.json``.

    python _yosys.py SRAM_BITS [LIBERTY [same]]

Synthesises the module ``block``; its children are black boxes. Memories of at least SRAM_BITS that
are written stay memories; smaller ones and tables become flip-flops and gates. Writes

    cells      cell type → count, black boxes and kept memories left out
    memories   of each kept one: name, width, depth, read_ports, write_ports
    path_ps    longest path through gates between flip-flops, memories and ports (Liberty only)
    levels     the same in gates (generic only)

``same``: gates keep the sizes that they were mapped to.
"""

import json
import re
import sys
from collections import Counter

from pyosys import libyosys as ys

TOP = "block"
COARSE = ("read_verilog block.v", f"hierarchy -check -top {TOP}", "proc -norom",
          "opt -nodffe -nosdff", "wreduce", "peepopt", "opt_clean", "alumacc",
          "opt -nodffe -nosdff", "memory -nomap", "opt_clean")
FINE = ("opt -nodffe -nosdff", "techmap", "opt -nodffe -nosdff", "setattr -unset init w:*")
# Measured on SCNN's PPU and multipliers: two dc2 give 2 % and 0.4 % less area than Yosys's own ABC
# script (fraig, scorr, dc2), the PPU in 2 s instead of 31. ABC sees logic alone, cut at flip-flops,
# memories and black boxes: its depth and delay are those of the paths between them.
# -liberty_args (here the default) keeps Yosys from its cache of libraries in /tmp, which goes by
# file name and time.
SHRINK = "+strash;dc2;strash;dc2;strash;"
# Enables and resets of flip-flops become gates, so that every flip-flop is a plain one.
GENERIC = ("dfflegalize -cell $_DFF_P_ x", "opt -nodffe -nosdff",
           "tee -q -o path.log abc -g NAND,NOR,XOR,XNOR,MUX,AOI3,OAI3 "
           f"-script {SHRINK}map;print_stats", "opt_clean")
LIBERTY = ("dfflibmap -liberty {0}", "opt -nodffe -nosdff", "tee -q -o path.log abc -liberty {0} "
           '-liberty_args "-G 250" -script ' + SHRINK +
           "dch;map,-B,0.9;topo;buffer,-c;upsize;dnsize;stime,-p", "opt_clean")


def _parameter(cell, name):
    return cell.parameters[ys.IdString("\\" + name)]


def _memory(cell):
    return {"name": _parameter(cell, "MEMID").decode_string().removeprefix("\\"),
            "width": _parameter(cell, "WIDTH").as_int(),
            "depth": _parameter(cell, "SIZE").as_int(),
            "read_ports": _parameter(cell, "RD_PORTS").as_int(),
            "write_ports": _parameter(cell, "WR_PORTS").as_int()}


def _keep_big(design, sram_bits):
    """Marks the memories to be kept; returns their facts by name."""
    kept = []
    for cell in design.top_module().cells_.values():
        if cell.type.str() == "$mem_v2":
            memory = _memory(cell)
            if memory["width"] * memory["depth"] >= sram_bits and memory["write_ports"]:
                cell.set_bool_attribute(ys.IdString("\\sram"), True)
                kept.append(memory)
    return sorted(kept, key=lambda memory: memory["name"])


def _path(liberty):
    with open("path.log") as file:
        text = file.read()
    if liberty:
        delays = re.findall(r"Delay =\s*([0-9.]+) ps", text)
        return {"path_ps": float(delays[-1]) if delays else 0.0}
    levels = re.findall(r"lev\s*=\s*(\d+)", text)
    return {"levels": int(levels[-1]) if levels else 0}


def main(sram_bits, liberty=None, sizes=""):
    design = ys.Design()
    for command in COARSE:
        design.run_pass(command)
    memories = _keep_big(design, sram_bits)
    design.run_pass("memory_map t:$mem_v2 a:sram %d")
    for command in FINE + (LIBERTY if liberty else GENERIC):
        if sizes == "same":
            command = command.replace("upsize;", "")
        design.run_pass(command.format(liberty))
    types = Counter(cell.type.str() for cell in design.top_module().cells_.values())
    children = {m.name.str() for m in design.modules_.values()}
    cells = {kind.removeprefix("\\"): n for kind, n in sorted(types.items())
             if kind not in children and kind not in ("$mem_v2", "$scopeinfo")}
    with open("cells.json", "w") as file:
        json.dump({"cells": cells, "memories": memories, **_path(liberty)}, file)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
