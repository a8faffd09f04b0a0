"""Blocks of an array as C++ models of their own, each called once per rising edge of its clock.

Verilator's own hierarchical mode evaluates a block at both edges and whenever an input changes.
Here a block is one DPI call per cycle: inputs as they were before the edge go in, outputs come out.
Outputs that depend on inputs in the same cycle cost a second call; `through` finds them.
"""

import dataclasses
import re
from functools import cache

_NAME = r"\\\S+|[A-Za-z_][\w$]*"
_PORT = re.compile(r"^  (input|output) (?:signed )?(?:\[(\d+):0\] )?(\S+);", re.M)
_ASSIGN = re.compile(r"^  assign (.*?) = (.*?);$", re.M | re.S)
_FUNCTION = re.compile(r"^  function .*?^  endfunction\n", re.M | re.S)
_INSTANCE = re.compile(rf"^  ({_NAME}) +({_NAME}) +\(\n(.*?)^  \);", re.M | re.S)
_PIN = re.compile(r"\.(\S+?) ?\((.*)\),?$", re.M)
_SIGNAL = re.compile(rf"(?<!['\w$])(?:{_NAME})")


@dataclasses.dataclass(frozen=True)
class Port:
    """A port of a block: ``direction`` "input" or "output", ``width`` in bits."""

    direction: str
    width: int
    name: str

    @property
    def cpp(self):
        """Its name in Verilator's C++."""
        return self.name.replace("__", "___05F")

    @property
    def vector(self):
        """"[7:0] " or ""."""
        return f"[{self.width - 1}:0] " if self.width > 1 else ""

    @property
    def dpi(self):
        """Its type in a DPI declaration."""
        if self.width <= 64:
            return "byte unsigned" if self.width <= 8 else (
                "int unsigned" if self.width <= 32 else "longint unsigned")
        return f"bit {self.vector.strip()}"

    def argument(self):
        """Its declaration as an argument of a C++ function."""
        scalar = "unsigned char" if self.width <= 8 else (
            "unsigned int" if self.width <= 32 else "unsigned long long")
        if self.direction == "input":
            return f"const uint32_t* {self.cpp}" if self.width > 64 else f"{scalar} {self.cpp}"
        return f"uint32_t* {self.cpp}" if self.width > 64 else f"{scalar}* {self.cpp}"

    def transfer(self):
        """The C++ statement that moves it into the model, or out of it."""
        words = -(-self.width // 32)
        if self.direction == "input":
            return (f"std::memcpy(&m.{self.cpp}, {self.cpp}, {4 * words});" if self.width > 64
                    else f"m.{self.cpp} = {self.cpp};")
        return (f"std::memcpy({self.cpp}, &m.{self.cpp}, {4 * words});" if self.width > 64
                else f"*{self.cpp} = m.{self.cpp};")


@cache
def _modules(verilog):
    """Module name to its text."""
    return dict(re.findall(r"^module (\S+?) ?\((.*?)^endmodule", verilog, re.M | re.S))


def ports(verilog, module):
    """The ports of `module`, ``clk`` left out."""
    found = [Port(direction, int(high or 0) + 1, name)
             for direction, high, name in _PORT.findall(_modules(verilog)[module])]
    return [port for port in found if port.name != "clk"]


def _signals(text):
    return set(_SIGNAL.findall(text))


@cache
def through(verilog, module):
    """Output of `module` to the inputs that it depends on without a register between."""
    body = _modules(verilog)[module]
    sources: dict[str, set] = {}
    for left, right in _ASSIGN.findall(_FUNCTION.sub("", body)):
        for name in _signals(left):
            sources.setdefault(name, set()).update(_signals(right))
    for child, _, pins in _INSTANCE.findall(body):
        if child not in _modules(verilog):
            continue
        wired = {pin: _signals(value) for pin, value in _PIN.findall(pins)}
        for out, inputs in through(verilog, child).items():
            for name in wired.get(out, ()):
                sources.setdefault(name, set()).update(*(wired.get(i, set()) for i in inputs))
    inputs = {name for direction, _, name in _PORT.findall(body) if direction == "input"}
    return {name: frozenset(_reach(sources, name) & inputs)
            for direction, _, name in _PORT.findall(body) if direction == "output"}


def _reach(sources, name):
    seen, todo = set(), [name]
    while todo:
        for source in sources.get(todo.pop(), ()):
            if source not in seen:
                seen.add(source)
                todo.append(source)
    return seen


def both_edges(verilog):
    """`verilog` with every register loading at both edges: a model is called once per cycle."""
    return re.sub(r"@\(posedge (\S+?) ?\)", r"@(posedge \1 or negedge \1 )", verilog)


def replace(verilog, modules):
    """`verilog` with wrappers in place of `modules`."""
    def stands_for(match):
        return wrapper(verilog, match[1]) if match[1] in modules else match[0]
    return re.sub(r"^module (\S+?) ?\(.*?^endmodule\n", stands_for, verilog, flags=re.M | re.S)


def _split(verilog, module):
    """Inputs, outputs, and those outputs and inputs with a path between them."""
    every, paths = ports(verilog, module), through(verilog, module)
    ins = [port for port in every if port.direction == "input"]
    outs = [port for port in every if port.direction == "output"]
    late = [port for port in outs if paths[port.name]]
    needed = set().union(*(paths[port.name] for port in late))
    return ins, outs, late, [port for port in ins if port.name in needed]


def wrapper(verilog, module):
    """Verilog that stands for `module` and calls its model."""
    ins, outs, late, needed = _split(verilog, module)
    early = [port for port in outs if port not in late]

    def imported(name, arguments):
        listed = "".join(f", {p.direction} {p.dpi} {p.name}" for p in arguments)
        return f'  import "DPI-C" function void {module}_{name}(input chandle model{listed});'

    def call(name, *arguments):
        return f"{module}_{name}({', '.join(['model', *arguments])});"
    names = [port.name for port in (*ins, *outs)]
    lines = [f"module {module}({', '.join([*names, 'clk'])});",
             *(f"  {p.direction} {p.vector}{p.name};" for p in (*ins, *outs)), "  input clk;",
             *(f"  reg {p.vector}{p.name};" for p in outs),
             *(f"  {p.dpi} new_{p.name};" for p in outs),
             f'  import "DPI-C" function chandle {module}_create(input string name);',
             imported("read", early), imported("step", [*ins, *early]),
             "  chandle model;", "  reg tick = 0;", "  initial begin",
             f'    model = {module}_create($sformatf("%m"));',
             f"    {call('read', *(f'new_{p.name}' for p in early))}",
             *(f"    {p.name} = new_{p.name};" for p in early), "  end",
             "  always @(posedge clk) begin",
             "    " + call("step", *(p.name for p in ins), *(f"new_{p.name}" for p in early)),
             *(f"    {p.name} <= new_{p.name};" for p in early),
             "    tick <= ~tick;", "  end"]
    if late:
        lines += [
            imported("settle", [Port("input", 1, "tick"), *needed, *late]), "  always_comb begin",
            "    " + call("settle", "tick", *(p.name for p in needed),
                          *(f"new_{p.name}" for p in late)),
            *(f"    {p.name} = new_{p.name};" for p in late), "  end"]
    return "\n".join([*lines, "endmodule", ""])


def glue(verilog, module):
    """C++ between the wrapper and Verilator's model of `module`, whose class is V<module>."""
    ins, outs, late, needed = _split(verilog, module)
    early = [port for port in outs if port not in late]

    def function(name, arguments, step=""):
        head = ", ".join(["void* model", *(p.argument() for p in arguments)])
        moved = {d: [p.transfer() for p in arguments if p.direction == d and p.name != "tick"]
                 for d in ("input", "output")}
        body = [f"auto& m = *static_cast<V{module}*>(model);", *moved["input"], step, "m.eval();",
                *moved["output"]]
        return f"void {module}_{name}({head}) {{\n  " + "\n  ".join(filter(None, body)) + "\n}"
    parts = [f'#include "V{module}.h"', "#include <cstdint>", "#include <cstring>", 'extern "C" {',
             f"void* {module}_create(const char* name) {{ return new V{module}{{name}}; }}",
             function("read", early), function("step", [*ins, *early], "m.clk = !m.clk;")]
    if late:
        parts.append(function("settle", [Port("input", 1, "tick"), *needed, *late]))
    return "\n".join([*parts, "}", ""])
