"""``make bench``: speeds and sizes of a design, as JSON. Figures of this machine, not tests."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from golden.program import Memory
from sparseforge import runs
from sparseforge.files import made_folder, write_text
from sparseforge.options import LayerOptions
from sparseforge.registry import Design, design
from sparseforge.workload import workload

NETWORKS = ("alexnet", "googlenet", "vgg16", "resnet50")


def emission(chosen: Design, config: Any) -> dict[str, Any]:
    """Seconds to emit the Verilog, nothing kept from before, and its bytes."""
    from hw.emit import emit
    started = time.monotonic()
    emitted = emit(chosen.top(config), chosen.name, config=config)
    return {"emit_s": time.monotonic() - started, "verilog_bytes": len(emitted.verilog.encode()),
            "modules": emitted.verilog.count("\nendmodule")}


def rtl(chosen: Design, preset: str, config: Any, network: str, layer: str) -> dict[str, Any]:
    """Seconds of the first run (which emits and builds) and of the second, golden and model aside;
    RTL cycles per second of simulation."""
    setting = runs.Setting(chosen, preset, config, Memory())
    work = workload(LayerOptions(network=network, layer=layer))
    first, second = (runs.simulate(setting, work, "verilator") for _ in range(2))
    cycles, seconds = second.total.cycles, second.data["simulation_s"]
    return {"layer": work.name, "cycles": cycles, "first_s": first.data["wall_s"],
            "second_s": second.data["wall_s"],
            "build_s": first.data["wall_s"] - second.data["wall_s"], "simulation_s": seconds,
            "cycles_per_s": cycles / seconds}


def model(chosen: Design, preset: str, config: Any, network: str) -> dict[str, Any]:
    """Seconds of a whole network's model (tensors, golden outputs and compiling included)."""
    setting = runs.Setting(chosen, preset, config, Memory())
    started = time.monotonic()
    answer = runs.model(setting, workload(LayerOptions(network=network)))
    seconds = time.monotonic() - started
    return {"seconds": seconds, "cycles": answer.total.cycles,
            "macs_effectual_per_s": answer.total.macs_effectual / seconds}


@contextmanager
def fresh() -> Iterator[None]:
    """Builds and the compiler's cache in a new folder, so that nothing is found."""
    with tempfile.TemporaryDirectory(prefix="sparseforge-bench-") as folder:
        before = {key: os.environ.get(key) for key in ("SPARSEFORGE_BUILD", "CCACHE_DIR")}
        os.environ.update({"SPARSEFORGE_BUILD": f"{folder}/build", "CCACHE_DIR": f"{folder}/cc"})
        try:
            yield
        finally:
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key)
                else:
                    os.environ[key] = value


def main(out: Annotated[Path, typer.Option("-o")] = Path("build/bench.json"),
         name: Annotated[str, typer.Option("--design")] = "scnn",
         preset: str = "paper") -> None:
    """Measures a design's preset and writes the figures."""
    made_folder(out.parent)
    chosen = design(name)
    config = chosen.presets()[preset]
    data: dict[str, Any] = {"design": name, "preset": preset, "cpus": os.cpu_count(),
                            "machine": platform.machine(), "python": platform.python_version()}
    with fresh():
        data["emission"] = emission(chosen, config)
        print("emission", data["emission"], file=sys.stderr)
        data["rtl"] = rtl(chosen, preset, config, "alexnet", "conv3")
        print("rtl", data["rtl"], file=sys.stderr)
    data["model"] = {}
    for network in NETWORKS:
        data["model"][network] = model(chosen, preset, config, network)
        print(network, data["model"][network], file=sys.stderr)
    write_text(out, json.dumps(data, indent=1) + "\n")
    print(f"written: {out}")


if __name__ == "__main__":
    typer.run(main)
