"""Pairs of operands through many copies of a pipeline, from a file: Python does nothing per pair.

    check(Adder(4), a, b, expected, simulator="verilator")
"""
from pathlib import Path

import numpy as np

from hw.emit import Emitted, emit
from sim.common.runner import build, run

LANES_V = Path(__file__).with_name("lanes.v")
OUTPUTS = {"done": 1, "rows": 32, "mismatches": 32, "row_bad": 32, "lane_bad": 32, "got": 32}


def _around(unit, lanes):
    """The module ``lanes`` around copies of ``unit``, whose ``o`` is of the same width as ``a``."""
    emitted = emit(unit, "unit")
    ports = {"clk": ("in", 1), "rst": ("in", 1), **{n: ("out", w) for n, w in OUTPUTS.items()}}
    declared = ", ".join(f"{way}put [{width - 1}:0] {name}" for name, (way, width) in ports.items())
    pins = ", ".join(f".{name}({name})" for name in ports)
    text = (f"\nmodule unit_lanes({declared});\n  lanes #(.LANES({lanes}), .BITS({unit.fmt.bits}), "
            f".LATENCY({unit.latency})) lanes ({pins});\nendmodule\n")
    manifest = {**emitted.manifest, "ports": [{"name": name, "dir": way, "width": width}
                                              for name, (way, width) in ports.items()]}
    return Emitted("unit_lanes", emitted.verilog + text, manifest)


def check(unit, a, b, expected, *, simulator, lanes=4, opt=1):
    """Every ``a[i]``, ``b[i]`` must give ``expected[i]`` (arrays of bits, as uint32).

    ``unit`` has ``a``, ``b``, ``o``, a ``latency`` and a ``fmt``; a pair per cycle goes into each
    of ``lanes`` copies. Raises BenchFailed with the first pair that gives something else.
    """
    pairs = np.stack([a, b, expected], axis=-1).astype(np.uint32)
    filled = np.resize(pairs, (-(-len(pairs) // lanes) * lanes, 3))    # the last row: from the top
    built = build(_around(unit, lanes), simulator=simulator, sources=(LANES_V,), opt=opt)
    run(built, "sim.tnpu.bench_lanes", config={"pairs": pairs, "lanes": lanes},
        before=lambda folder: (folder / "pairs.bin").write_bytes(filled.astype(">u4").tobytes()))
