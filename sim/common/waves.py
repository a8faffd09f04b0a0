"""Waveforms on request: a window of cycles, a part of the hierarchy, and views to look at them."""

import dataclasses
import re
from functools import cache
from pathlib import Path

from sim.common.bench import PERIOD_NS


@dataclasses.dataclass(frozen=True)
class Waves:
    """A waveform to record.

    Attributes
    ----------
    path : str or Path
        ``.vcd``, or in icarus ``.fst``; ``.gtkw`` (GTKWave) and ``.sucl`` (Surfer) views beside it.
    first, last : int, int or None
        Cycles, both included, from the end of reset, or of a program (the first of a list) from
        its start. None: to the end.
    scope : str or None
        An instance by the end of its path ("pe_3_4", "array.pe_3_4"); None: everything.
    """

    path: str | Path
    first: int = 0
    last: int | None = None
    scope: str | None = None

    def __post_init__(self):
        if Path(self.path).suffix not in (".vcd", ".fst"):
            raise ValueError(f"a waveform file must end in .vcd or .fst, not {self.path}")
        if self.first < 0 or (self.last is not None and self.last < self.first):
            raise ValueError(f"a waveform needs 0 <= first <= last, not {self.first}, {self.last}")

    @property
    def format(self):
        """"vcd" or "fst"."""
        return Path(self.path).suffix[1:]


def instrument(verilog, top, waves, running):
    """`verilog` with module `top` dumping what `waves` asks for into ``+waves=FILE``.

    `running` is a Verilog expression, true in the cycles that count; while it is false the
    count is 0.
    """
    path = find_scope(verilog, top, waves.scope)
    target = ".".join([top, *path])
    last = "64'hffffffffffffffff" if waves.last is None else f"64'd{waves.last + 1}"
    # Verilator ignores $dumpoff.
    code = f"""  reg [63:0] waves_cycle = 0;
  reg waves_begun = 0, waves_ended = 0;
  reg [8*1024-1:0] waves_file;
  always @(posedge clk) begin
    if (!waves_begun && waves_cycle == 64'd{waves.first} && {running}) begin
      waves_begun <= 1;
      if ($value$plusargs("waves=%s", waves_file)) begin
        $dumpfile(waves_file);
        $dumpvars(0, {target});
      end
    end
    if (!waves_ended && waves_begun && waves_cycle == {last}) begin
      waves_ended <= 1;
`ifdef VERILATOR
      $c("vlSymsp->_traceDumpClose();");
`else
      $dumpoff;
`endif
    end
    waves_cycle <= {running} ? waves_cycle + 1 : 0;
  end
"""
    start = re.search(rf"^module {re.escape(top)}\b", verilog, re.M).start()
    end = verilog.index("\nendmodule", start) + 1
    return verilog[:end] + code + verilog[end:]


_INSTANCE = re.compile(r"^ *(\\?[\w$]+) +(?:#\((?:[^()]|\([^()]*\))*\) +)?(\\\S+|[\w$]+) \($", re.M)
_KEYWORDS = {"module", "input", "output", "if", "always", "assign", "task", "function", "initial"}


@cache
def _instances(verilog):
    """Module -> {instance: module}, of the text that Yosys and `sim.common.program` write."""
    tree = {}
    for name, body in re.findall(r"^module (\S+?)\s*\((.*?)^endmodule", verilog, re.M | re.S):
        tree[name] = {inst: module for module, inst in _INSTANCE.findall(body)
                      if module not in _KEYWORDS}
    return {name: {i: m for i, m in children.items() if m in tree}
            for name, children in tree.items()}


def find_scope(verilog, top, scope):
    """The path below `top` (tuple of instances) that ends in `scope`.

    The least deep if there are several; ValueError if there is none or if two are as deep.
    """
    if scope is None:
        return ()
    tree, wanted = _instances(verilog), scope.split(".")
    level = [((), top)]
    while level:
        level = [((*path, inst), module) for path, parent in level
                 for inst, module in tree[parent].items()]
        found = [path for path, _ in level if list(path[-len(wanted):]) == wanted]
        if len(found) > 1:
            raise ValueError(f"scope {scope} is ambiguous: {', '.join(map('.'.join, found[:3]))}, "
                             f"...: write more of its path")
        if found:
            return found[0]
    raise ValueError(f"{top} has no instance {scope}; below it are "
                     f"{', '.join(list(tree[top])[:8])}")


def write_views(verilog, top, waves):
    """Writes the GTKWave save file and the Surfer command file beside the waveform."""
    path = find_scope(verilog, top, waves.scope)
    module = top
    for instance in path:
        module = _instances(verilog)[module][instance]
    scope = ".".join([top, *path])
    signals = [f"{scope}.{name}{bits}" for name, bits in _ports(verilog, module)]
    file = Path(waves.path).absolute()
    start = waves.first * PERIOD_NS * 1000    # the dump counts picoseconds
    gtkw = [f'[dumpfile] "{file}"', f"[timestart] {start}", f"[treeopen] {scope}.", *signals]
    file.with_suffix(".gtkw").write_text("\n".join(gtkw) + "\n")
    sucl = [f"scope_select {scope}", *(f"variable_add {s.split('[')[0]}" for s in signals),
            "zoom_fit"]
    file.with_suffix(".sucl").write_text("\n".join(sucl) + "\n")


def _ports(verilog, module):
    """(name, "[7:0]" or "") of the module's ports."""
    start = re.search(rf"^module {re.escape(module)}\b", verilog, re.M).start()
    text = verilog[start:verilog.index("\nendmodule", start)]
    found = re.findall(r"^ *(?:input|output) (?:reg |wire )?(\[\d+:0\] )?([\w$]+)[,;)]", text, re.M)
    return [(name, bits.strip()) for bits, name in found]
