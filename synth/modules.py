"""The modules of an emitted Verilog text: what each contains, and the text to synthesise it alone.

Reads the regular form that `hw.emit` writes (Yosys's): a module's name and ports on its first
line, one port declaration a line, an instance's type and name on a line that ends in an open
parenthesis. What is read wrongly is found out: Yosys refuses a module with an unknown instance.
"""

import re
from dataclasses import dataclass
from functools import cache

_MODULE = re.compile(r"^module (\\\S+ |\w+)\(.*?^endmodule$", re.M | re.S)
_INSTANCE = re.compile(r"^  (\\\S+|\w+)\s+(?:\\\S+ |\w+) ?\($", re.M)
_PORT = re.compile(r"^  (?:input|output|inout)\b[^;]*;$", re.M)
# What a memory holds at first, one value everywhere: Yosys would make a cell per word.
_FIRST_VALUES = re.compile(r"^  initial begin : init_\w+\n    integer i;\n.*\n"
                           r" +(\\?\S+) \[i\] =.*\n  end\n", re.M)
_OWN_NAME = "block"     # what every module is called when synthesised alone


@dataclass(frozen=True)
class Module:
    """One module: its ``name``, ``text`` and ``children`` (module name → instances in it)."""

    name: str
    text: str
    children: dict

    @property
    def stub(self):
        """The module as a black box."""
        head = self.text[:self.text.index(";") + 1]
        return "\n".join(["(* blackbox *)", head, *_PORT.findall(self.text), "endmodule"])


def modules(verilog):
    """Module name → Module, in the order of the text. ValueError if there is none."""
    texts = {_plain(match[1]): match[0] for match in _MODULE.finditer(verilog)}
    if not texts:
        raise ValueError("the Verilog must hold at least one module")
    return {name: Module(name, text, _children(text, texts)) for name, text in texts.items()}


def _plain(name):
    return name.strip().removeprefix("\\")


def _children(text, known):
    found = {}
    for match in _INSTANCE.finditer(text):
        name = _plain(match[1])
        if name in known:
            found[name] = found.get(name, 0) + 1
    return dict(sorted(found.items()))


def alone(module, known):
    """The Verilog of one module named ``block`` with its children as black boxes.

    Two modules that differ in their name only give the same text. What a memory that is written
    holds at first is left out: it costs no gate.
    """
    def kept(loop):
        return "" if re.search(rf"^ +{re.escape(loop[1])} ?\[.*\] <= ", text, re.M) else loop[0]
    text = module.text
    head, rest = _FIRST_VALUES.sub(kept, text).split("(", 1)
    assert head.startswith("module ")
    return "\n\n".join([f"module {_OWN_NAME}({rest}",
                        *(known[child].stub for child in module.children)]) + "\n"


def counts(known, top):
    """Module name → how often it is in the whole design; the top once.

    ValueError if `top` is none of the modules.
    """
    if top not in known:
        raise ValueError(f"the top module must be one of {', '.join(known)}, not {top}")
    parents = {name: [] for name in known}
    for parent, module in known.items():
        for child, n in module.children.items():
            parents[child].append((parent, n))

    @cache
    def count(name):
        return 1 if name == top else sum(n * count(parent) for parent, n in parents[name])
    return {name: count(name) for name in known}
