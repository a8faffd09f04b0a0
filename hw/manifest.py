"""What goes beside the Verilog: the manifest, the C header and the FuseSoC core.

The manifest is a dict of plain data:

``design``      the top module's name
``component``   the class it was made from
``config``      every parameter of its configuration (None if it has none)
``ports``       in Verilog order: ``name``, ``dir`` ("in", "out"), ``width`` in bits
``blocks``      per module: ``name``, ``count`` in the whole design, and for a shared block its
                ``component`` and ``parameters``
``memories``    per memory: ``block``, ``name``, ``width``, ``depth``, ``bits`` (of one),
                ``read_ports``, ``write_ports``, ``count`` in the whole design, ``sram``
``registers``   the component's ``register_map``: ``name``, ``offset`` in bytes, ``access``, ``doc``
"""

from functools import cache

from hw.emit import SRAM_BITS, plain


def manifest(component, name, config, facts, shared):
    """The manifest of `component`, from the facts of `hw._yosys` and the shared blocks' keys."""
    modules = facts["modules"]
    counts = _counts(modules, name)
    if config is None:
        config = getattr(component, "cfg", getattr(component, "config", None))
    return {
        "design": name,
        "component": type(component).__name__,
        "config": plain(config),
        "ports": modules[name]["ports"],
        "blocks": [_block(module, counts[module], shared.get(module)) for module in modules],
        "memories": [_memory(module, memory, counts[module])
                     for module in modules for memory in modules[module]["memories"]],
        "registers": [{"name": n, "offset": int(o), "access": plain(a), "doc": d}
                      for n, o, a, d in getattr(component, "register_map", ())],
    }


def _counts(modules, top):
    """Module -> how often it is in the design, the top once."""
    parents = {module: [] for module in modules}
    for parent, facts in modules.items():
        for child, n in facts["instances"].items():
            if child in parents:
                parents[child].append((parent, n))

    @cache
    def count(module):
        return 1 if module == top else sum(n * count(parent) for parent, n in parents[module])
    return {module: count(module) for module in modules}


def _block(module, count, key):
    block = {"name": module, "count": count}
    if key is not None:
        cls, args, kwargs = key
        block["component"] = cls.__name__
        block["parameters"] = ([_untyped(a) for a in args]
                               + [{name: _untyped(value)} for name, value in kwargs])
    return block


def _untyped(value):
    """Undoes the typing of `hw.common.shared`'s keys."""
    if len(value) == 2 and isinstance(value[0], type):
        return plain(value[1])
    return [_untyped(v) for v in value]


def _memory(module, memory, count):
    bits = memory["width"] * memory["depth"]
    return {"block": module, **memory, "bits": bits, "count": count, "sram": bits >= SRAM_BITS}


def c_header(manifest):
    """The register map as C: offsets in bytes from the base of the AXI4-Lite slave."""
    prefix = manifest["design"].upper()
    lines = [f"/* Registers of {manifest['design']}: byte offsets on its AXI4-Lite slave. */",
             f"#ifndef {prefix}_H", f"#define {prefix}_H", ""]
    for register in manifest["registers"]:
        lines.append(f"/* {register['access']}: {register['doc']} */")
        lines.append(f"#define {prefix}_{register['name'].upper()} 0x{register['offset']:03x}u")
    return "\n".join([*lines, "", f"#endif /* {prefix}_H */", ""])


def fusesoc_core(manifest):
    """A FuseSoC core (CAPI=2) of the Verilog, with lint as its target."""
    name = manifest["design"]
    return f"""CAPI=2:
name: "sparseforge::{name}:0"
description: "{manifest['component']}, emitted by sparseforge"
filesets:
  rtl:
    files: [{name}.v]
    file_type: verilogSource
targets:
  default: &default
    filesets: [rtl]
    toplevel: {name}
  lint:
    <<: *default
    default_tool: verilator
    tools:
      verilator:
        mode: lint-only
        verilator_options: [-Wno-lint]
"""
