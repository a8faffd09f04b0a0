"""``make demo``: handwritten digits through a pruned network on the SCNN RTL, in Verilator.

    python -m sparseforge.demo [--images N] [--preset NAME] [--simulator verilator|icarus]

All images go through all layers back to back from one descriptor list, activations staying on
chip; the outputs are compared with golden's, and the cycles and products of every layer of every
image with the model's. Exit status 0: all equal; 1: something differs; 2: unusable input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from golden.dense.dcnn import dcnn_cycles
from golden.layers import Layer, reference
from golden.scnn.compile import compile
from golden.scnn.cycles import Report, cycles
from golden.scnn.program import Program
from golden.tensors import Tensors
from hw.scnn.config import PRESETS, SCNNConfig
from sparseforge.networks import digits
from sparseforge.progress import working

IMAGES = 16


@dataclass(frozen=True)
class Work:
    """The network on some held-out images: tensors per layer and, of each image, every plane."""

    layers: list[Layer]
    tensors: list[Tensors]              # activations: the first image's
    planes: list[list[np.ndarray]]      # [image][layer]: what the layer reads; last, the logits
    labels: np.ndarray

    @property
    def logits(self) -> np.ndarray:
        """Golden's, [images, 10]."""
        return np.array([planes[-1].reshape(-1) for planes in self.planes])


@dataclass(frozen=True)
class Measured:
    """The RTL's run: logits [images, 10], cycles of all, and per pass [images, layers]."""

    logits: np.ndarray
    cycles: int
    pass_cycles: np.ndarray
    pass_products: np.ndarray


def work(images: int, acc_bits: int) -> Work:
    """The first `images` held-out images through golden's layers."""
    layers, weights, biases = digits.load()
    pixels, labels = digits.images()
    if not 1 <= images <= len(pixels):
        raise ValueError(f"--images must be 1 to {len(pixels)}, not {images}")
    planes = []
    for plane in pixels[:images]:
        mine = [plane]
        for layer, w, b in zip(layers, weights, biases, strict=True):
            mine.append(reference(layer, w, mine[-1], b, acc_bits).outputs)
        planes.append(mine)
    tensors = [Tensors(w, plane, b, "digits")
               for w, b, plane in zip(weights, biases, planes[0], strict=False)]
    return Work(layers, tensors, planes, labels[:images])


def program(given: Work, config: SCNNConfig) -> Program:
    """The images through the network on this configuration, from one descriptor list.

    ValueError where its planes do not stay on chip.
    """
    compiled = compile(given.layers, given.tensors, config,
                       inputs=[planes[0] for planes in given.planes])
    if len(compiled.segments) != 1:
        raise ValueError("the preset must hold the network's planes on chip: "
                         f"one descriptor list, not {len(compiled.segments)}")
    return compiled


def measure(given: Work, compiled: Program, simulator: str) -> Measured:
    """Runs the program on the RTL: whole, then its first 1, 2, … descriptors.

    The hardware's counters are of a whole run: what a layer adds to the run that ends before it is
    the layer's. BenchFailed if a run does not finish; SimulatorMissing.
    """
    from sim.common import program as host
    from sim.common.design import Run, job
    from sim.scnn.run import RTL
    with working(f"building the RTL for {simulator} (kept for the next time)"):
        # Some 800,000 cycles in all: six times as fast for a third more of compiling.
        build = RTL.build(compiled.config, simulator, opt=1)
    with working(f"{len(given.planes)} images through the RTL, all layers back to back"):
        whole = RTL.run(build, [compiled])[0]
    full = job(compiled.segments[0])
    jobs = [replace(full, writes=tuple((name, n if name == "DESC_COUNT" else value)
                                       for name, value in full.writes))
            for n in range(1, len(compiled.passes) + 1)]
    with working("the same, stopped after every layer, for each layer's share"):
        runs = [Run(RTL, compiled, (result,)) for result in host.run_programs(build, jobs)]
    shape = len(given.planes), len(given.layers)
    return Measured(
        np.array([out.reshape(-1) for out in whole.outputs()]), whole.cycles[0],
        _steps([run.cycles[0] for run in runs]).reshape(shape),
        _steps([run.count("products") for run in runs]).reshape(shape))


def _steps(totals: Sequence[int]) -> np.ndarray:
    return np.diff(np.array(totals, np.int64), prepend=0)


def predicted(report: Report, images: int) -> tuple[np.ndarray, np.ndarray]:
    """The model's cycles and products of each pass, [images, layers], as `measure` counts them."""
    spent = np.array([one.cycles for one in report.passes], np.int64)
    spent[0] += report.cycles - spent.sum()     # the end of a run, in every run of `measure`
    products = np.array([one.products for one in report.passes], np.int64)
    return spent.reshape(images, -1), products.reshape(images, -1)


def layer_table(given: Work, report: Report, measured: Measured | None, title: str) -> Table:
    """Per layer, over all images: cycles of RTL and model, utilisation, densities, speed-up."""
    table = Table(title=title)
    table.add_column("layer")
    for name in [*(["cycles, RTL"] if measured else []), "cycles, model", "multipliers busy",
                 "weights ≠ 0", "inputs ≠ 0", "most time goes to", "DCNN", "speed-up"]:
        table.add_column(name, justify="right")
    images, config = len(given.planes), report.config
    spent, products = predicted(report, images)
    if measured:
        products = measured.pass_products
    dense_all = kept_all = 0
    for n, layer in enumerate(given.layers):
        dense = images * dcnn_cycles(layer, config.pe_rows, config.pe_cols, config.lanes)
        kept, causes = report.layer(n).cycles_layer, report.layer(n).causes
        most = max(causes, key=causes.__getitem__)
        dense_all, kept_all = dense_all + dense, kept_all + kept
        ran = [f"{measured.pass_cycles[:, n].sum():,}"] if measured else []
        use = products[:, n].sum() / (config.multipliers * spent[:, n].sum())
        weights = given.tensors[n].weights
        inputs = np.array([planes[n] for planes in given.planes])
        table.add_row(layer.name, *ran, f"{spent[:, n].sum():,}", f"{use:.1%}",
                      f"{np.count_nonzero(weights) / weights.size:.1%}",
                      f"{np.count_nonzero(inputs) / inputs.size:.1%}",
                      f"{most} {causes[most] / sum(causes.values()):.0%}", f"{dense:,}",
                      f"{dense / kept:.3g}×")
    table.add_section()
    ran = [f"{measured.cycles:,}"] if measured else []
    use = products.sum() / (config.multipliers * report.cycles)
    table.add_row("all", *ran, f"{report.cycles:,}", f"{use:.1%}", "", "", "", f"{dense_all:,}",
                  f"{dense_all / kept_all:.3g}×")
    return table


def digits_table(given: Work, logits: np.ndarray) -> Table:
    """The digits that the hardware read beside the true ones."""
    found = logits.argmax(axis=1)
    table = Table(title=f"{np.count_nonzero(found == given.labels)} of {len(found)} digits right",
                  show_header=False)
    table.add_row("true", *(str(d) for d in given.labels))
    table.add_row("read", *(str(d) if d == true else f"[red]{d}[/red]"
                            for d, true in zip(found, given.labels, strict=True)))
    return table


def differences(given: Work, report: Report, measured: Measured) -> list[str]:
    """What differs between the RTL, golden's outputs and the model's cycles; nothing, if all is
    well."""
    spent, products = predicted(report, len(given.planes))
    pairs: list[tuple[str, Any, Any]] = [
        ("outputs", measured.logits, given.logits), ("cycles", measured.cycles, report.cycles),
        ("cycles of a layer", measured.pass_cycles, spent),
        ("products of a layer", measured.pass_products, products)]
    return [f"{what}: {int(np.count_nonzero(np.asarray(rtl) != np.asarray(own)))} of "
            f"{np.size(own)} differ" for what, rtl, own in pairs if not np.array_equal(rtl, own)]


def why_not_faster(given: Work, report: Report) -> str:
    """Why small planes gain little, in the run's numbers: work per sum against its draining."""
    images, lanes = len(given.planes), report.config.lanes
    _, products = predicted(report, images)
    parts = [f"{layer.name} {products[:, n].sum() / (images * layer.k * layer.ho * layer.wo):.1f}"
             for n, layer in enumerate(given.layers)]
    return (f"Products per output sum: {', '.join(parts)}. A PE makes up to {lanes} products in a "
            f"cycle and drains about one sum in a cycle, halos included, so a layer pays where "
            f"its sums are of well over {lanes} products; wide networks' are of hundreds.")


def why_not_64(given: Work, small: Report, large: Report) -> str:
    """Why more PEs do worse on such images, in the model's numbers."""
    config, share = large.config, {}
    for report in (small, large):
        total = report.config.pes * report.cycles
        share[report.config.pes] = {name: n / total for name, n in report.causes.items()}
    first, second = given.layers[0], given.layers[1]
    tile = -(-first.h // config.pe_rows), -(-first.w // config.pe_cols)
    busy = min(config.pe_rows, second.h) * min(config.pe_cols, second.w)
    ours, theirs = share[small.config.pes], share[config.pes]
    faster = "more" if large.cycles > small.cycles else "fewer"
    return (
        f"Why {config.pes} PEs are wrong for it: {large.cycles:,} cycles, {faster} than the "
        f"{small.cycles:,} of {small.config.pes} PEs. An 8×8 image leaves a PE a tile of "
        f"{tile[0]}×{tile[1]}: at most {tile[0] * tile[1]} activation per channel for I = "
        f"{config.mults_i} lanes, and after the first pooling only {busy} PEs have any. Every PE "
        f"takes the same weights whatever it has, and every group of output channels pays for its "
        f"halos, hop by hop. So PEs multiply {theirs['multiply']:.1%} of the time "
        f"({ours['multiply']:.1%} with {small.config.pes}), drain and exchange halos "
        f"{theirs['drain']:.1%} ({ours['drain']:.1%}), wait for weights "
        f"{theirs['starved']:.1%} ({ours['starved']:.1%}).")


def show(console: Console, images: int, preset: str, simulator: str) -> bool:
    """The whole demo; False if something differs."""
    config = PRESETS[preset]
    given = work(images, config.acc_bits)
    console.print(f"[bold]{images} handwritten digits, none of them trained on, on SCNN at preset "
                  f"{preset}[/bold]: {config.pe_rows}×{config.pe_cols} PEs of {config.mults_f}×"
                  f"{config.mults_i} multipliers, RTL in {simulator}")
    compiled, big = program(given, config), program(given, PRESETS["paper"])
    with working("predicting the cycles (the first time compiles the model)"):
        report, large = cycles(compiled), cycles(big)
    measured = measure(given, compiled, simulator)
    console.print(layer_table(given, report, measured, f"over {images} images, preset {preset}"))
    console.print("speed-up over DCNN: a dense machine of as many multipliers and PEs; without "
                  "loading each first plane and storing each last. Time: PE-cycles.", style="dim")
    console.print(why_not_faster(given, report))
    console.print(digits_table(given, measured.logits))
    wrong = differences(given, report, measured)
    console.print("[red]the RTL differs: " + "; ".join(wrong) + "[/red]" if wrong else
                  f"[green]all {measured.logits.size} outputs equal golden's; cycles and products "
                  f"of all {measured.pass_cycles.size} passes equal the model's[/green]")
    if preset != "paper":
        console.print(layer_table(given, large, None, "the same at preset paper, model only"))
        console.print(why_not_64(given, report, large))
    return not wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    from sim.common.runner import SIMULATORS, BenchFailed, SimulatorMissing
    parser = argparse.ArgumentParser(prog="sparseforge.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--preset", choices=PRESETS, default="demo")
    parser.add_argument("--simulator", choices=SIMULATORS, default="verilator")
    asked = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        return 0 if show(console, asked.images, asked.preset, asked.simulator) else 1
    except (ValueError, SimulatorMissing) as error:
        print(f"sparseforge.demo: {error}", file=sys.stderr)
        return 2
    except BenchFailed as error:
        print(f"sparseforge.demo: the run failed: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
