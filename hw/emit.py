"""A component and its configuration -> Verilog with each distinct block once, and its papers.

The way is Amaranth -> RTLIL -> Yosys (in a process of its own, so that the same component gives
the same bytes whatever ran before) -> Verilog-2001 of assignments and clocked blocks only.
"""

import dataclasses
import enum
import gc
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Fragment, Value, _nir
from amaranth.hdl._ir import NetlistEmitter, PortDirection
from amaranth.lib import wiring

from hw.common.shared import Shared

SRAM_BITS = 4096    # a memory of this size is named sram_*: a macro for synthesis, not flip-flops


class EmitError(Exception):
    """The component cannot be emitted; the message names it and says why."""


@dataclasses.dataclass(frozen=True)
class Emitted:
    """What `emit` gives: all of it text or plain data, the same for the same component.

    Members: ``name`` (the top module), ``verilog``, ``manifest`` (see `hw.manifest`).
    """

    name: str
    verilog: str
    manifest: dict

    def files(self):
        """File name -> text: the Verilog, ``manifest.json``, the FuseSoC core, the C header."""
        from hw.manifest import c_header, fusesoc_core
        texts = {f"{self.name}.v": self.verilog,
                 "manifest.json": json.dumps(self.manifest, indent=1) + "\n",
                 f"{self.name}.core": fusesoc_core(self.manifest)}
        if self.manifest["registers"]:
            texts[f"{self.name}.h"] = c_header(self.manifest)
        return texts

    def write(self, folder):
        """Writes `files()` into `folder` (made if need be); each file appears whole or not."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.files().items():
            write_atomically(folder / name, text)


def write_atomically(path, text):
    """Writes `text` to a temporary name beside `path`, then renames it."""
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(fd, "w") as file:
        file.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def emit(component, name, config=None):
    """Verilog and manifest of `component`.

    The top module is `name`; its ports are ``clk``, ``rst`` and the signature's members with ``__``
    between the parts of a path (``i__payload``, ``i__0__valid``). Blocks wrapped in `Shared` are
    modules of their own, once each.

    Parameters
    ----------
    component : wiring.Component
    name : str
        A Verilog identifier.
    config : dataclass, dict or None
        For the manifest; without it, the component's ``cfg`` or ``config``.

    Raises
    ------
    EmitError
        For a bad name, or if Yosys refuses the design.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise EmitError(f"the module name must be a Verilog identifier, not {name!r}")
    library = _Library(name)
    block = component._make() if isinstance(component, Shared) else component
    with _no_garbage_collection(), _frugal_amaranth():
        library.texts.append(library.convert(block, name))
    verilog, facts = _yosys("".join(library.texts), name)
    from hw.manifest import manifest
    return Emitted(name, verilog, manifest(block, name, config, facts, library.parameters))


def emit_kept(cls, config, name):
    """``emit(cls(config), name)`` of a class of this package.

    What came out is kept under the build folder and found again until `config` or any source of
    the package changes: elaborating an array takes Amaranth longer than simulating a small layer.
    """
    key = f"{_sources_key()} {cls.__module__}.{cls.__qualname__} {config!r} {name}"
    path = cache_folder() / "emit" / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    if path.exists():
        return Emitted(**json.loads(path.read_text()))
    emitted = emit(cls(config), name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(dataclasses.asdict(emitted)))
    return emitted


@cache
def _sources_key():
    """Changes whenever the same class of this package may give another Verilog."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources))
    return f"{version('amaranth')} {version('pyosys')} {digest.hexdigest()}"


@contextmanager
def _no_garbage_collection():
    """Amaranth makes millions of small objects that stay: collecting finds nothing, for long."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _frugal_amaranth():
    """Amaranth as it is, but for four methods below that give the same Verilog sooner."""
    with (patch.object(NetlistEmitter, "emit_signal_fields", _emit_signal_fields),
          patch.object(rtlil.ModuleEmitter, "emit_memory", _emit_memory),
          patch.object(_nir.Value, "__new__", staticmethod(_new_value)),
          patch.object(_nir.Netlist, "resolve_value", _resolve_value)):
        yield


def _emit_signal_fields(self):
    """No names for the fields of structures: six sevenths of an array's RTLIL."""
    for signal, fragment in self.design.signal_lca.items():
        value, signed = self.emit_rhs(self.fragment_module_idx[fragment], signal)
        self.netlist.signal_fields[signal] = {(): _nir.SignalField(value, signed=signed)}


def _new_value(cls, nets=()):
    """A tuple of nets, without asking each of millions what it is."""
    return tuple.__new__(cls, (nets,) if isinstance(nets, _nir.Net) else nets)


def _resolve_value(self, value):
    """Each late (negative) net followed to what it stands for, without a call for each."""
    connections, resolved = self.connections, []
    for net in value:
        while net < 0:
            net = connections[net]
        resolved.append(net)
    return tuple.__new__(_nir.Value, resolved)


def _emit_memory(self, cell_idx, cell):
    """A memory's initial words row by row: bit by bit, megabits took minutes."""
    words = "".join(f"{row % (1 << cell.width):0{cell.width}b}" for row in reversed(cell.init))
    self.builder.cell("$meminit_v2", ports={
        "ADDR": self.sigspec(), "DATA": f"{cell.width * cell.depth}'{words}",
        "EN": self.sigspec(_nir.Value.ones(cell.width)),
    }, parameters={
        "MEMID": self.memories[cell_idx].memid, "ABITS": 0, "WIDTH": cell.width,
        "WORDS": cell.depth, "PRIORITY": 0,
    }, src_loc=cell.src_loc)


class _Library:
    """The platform of an emission: knows which shared blocks have a module already."""

    def __init__(self, top):
        self.texts = []         # RTLIL, leaves first
        self.parameters = {}    # module -> (class, args, kwargs) of the shared block
        self._modules = {}      # key of the shared block -> module name
        self._taken = {top}

    def shared_module(self, key, make):
        """The module name of a shared block; converts it at its first use."""
        if key not in self._modules:
            self._modules[key] = name = self._unused(key[0].__name__)
            self.parameters[name] = key
            self.texts.append(self.convert(make(), name))
        return self._modules[key]

    def convert(self, component, name):
        """RTLIL of `component` as module `name`, submodules as ``name_submodule``."""
        domain = ClockDomain("sync")
        ports = {"clk": (domain.clk, PortDirection.Input), "rst": (domain.rst, PortDirection.Input)}
        for path, member, value in component.signature.flatten(component):
            value = Value.cast(value)
            if len(value):
                flow = (PortDirection.Input if member.flow == wiring.In else PortDirection.Output)
                ports["__".join(map(str, path))] = (value, flow)
        fragment = Fragment.get(component, self)
        fragment.add_domains(domain)
        text, _ = rtlil.convert_fragment(fragment, ports, name, emit_src=False,
                                         missing_domain=lambda domain: None)
        return self._rename(text, name)

    def _unused(self, name):
        n, stem = 0, name
        while name in self._taken:
            n += 1
            name = f"{stem}_{n}"
        self._taken.add(name)
        return name

    def _rename(self, text, top):
        """Module names without dots; big memories named sram_*."""
        names = {top: top}
        for old in re.findall(r"^module \\(\S+)$", text, re.M):
            if old != top:
                names[old] = self._unused(old.replace(".", "_"))

        def module(match):
            return match[1] + names.get(match[2], match[2])
        text = re.sub(r"^((?:module|  cell) \\)(\S+)", module, text, flags=re.M)
        text = text.replace("attribute \\top 1\n", "")
        return "".join(_name_srams(t) for t in re.split(r"(?<=^end\n)", text, flags=re.M))


def _name_srams(module):
    """The RTLIL text of a module with its memories of at least SRAM_BITS renamed to sram_*."""
    for width, size, name in re.findall(r"^  memory width (\d+) size (\d+) \\(\S+)$", module, re.M):
        if int(width) * int(size) >= SRAM_BITS and not name.startswith("sram_"):
            module = module.replace(f"size {size} \\{name}\n", f"size {size} \\sram_{name}\n")
            module = module.replace(f'MEMID "\\\\{name}"', f'MEMID "\\\\sram_{name}"')
    return module


@cache
def _yosys_key():
    """Changes whenever the same RTLIL may give another Verilog."""
    script = Path(__file__).with_name("_yosys.py").read_bytes()
    return f"{version('pyosys')} {hashlib.sha256(script).hexdigest()}"


def cache_folder():
    """Where builds are kept: ``$SPARSEFORGE_BUILD`` or ``build`` in the current folder."""
    return Path(os.environ.get("SPARSEFORGE_BUILD", "build")).absolute()


def _yosys(text, top):
    """Verilog text and facts (see `hw._yosys`) of RTLIL `text`; kept under the build folder."""
    digest = hashlib.sha256(f"{_yosys_key()} {top}\n{text}".encode()).hexdigest()[:24]
    folder = cache_folder() / "emit" / digest
    if not (folder / "facts.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            scratch = Path(scratch)
            (scratch / "design.il").write_text(text)
            run = subprocess.run(
                [sys.executable, str(Path(__file__).with_name("_yosys.py")), top],
                cwd=scratch, capture_output=True, text=True)
            if run.returncode:
                lines = [x for x in (run.stdout + run.stderr).splitlines() if x.strip()]
                raise EmitError(f"{top}: Yosys refuses the design: {lines[-1] if lines else '?'}")
            for file in ("design.v", "facts.json"):
                os.replace(scratch / file, folder / file)
    return (folder / "design.v").read_text(), json.loads((folder / "facts.json").read_text())


def plain(value):
    """`value` as JSON can hold it: dataclasses become dicts, enums names, the rest its text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.__name__ if isinstance(value, type) else repr(value)
