"""The command ``sparseforge``: one verb for each thing that it does.

Exit status 0: good; 1: a mismatch or a failed run; 2: unusable input, with one line on stderr.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sparseforge import config as configs
from sparseforge import progress, registry, runs
from sparseforge.errors import RunFailed, UserError, user_input
from sparseforge.files import made_folder, writable, write_text
from sparseforge.networks import NAMES, network
from sparseforge.options import ConfigOptions, LayerOptions, MemoryOptions, grouped
from sparseforge.report import compare as comparison
from sparseforge.report import text
from sparseforge.workload import workload

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Sparse and training accelerators as hardware that runs: RTL, golden models, exact "
         "cycle models. Every verb takes --json: one object on stdout and nothing else.")

DesignName = Annotated[str, typer.Argument(metavar="DESIGN", help="as `sparseforge list` names it")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on stdout, for programs")]
Folder = Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR")]


def out() -> Console:
    """The person's console; wide enough for tables where stdout is no terminal."""
    return Console(width=None if sys.stdout.isatty() else 120)


def answer(data: dict[str, Any]) -> None:
    """One JSON object on stdout."""
    print(json.dumps(data, default=_plain))


def _plain(value: Any) -> Any:
    """NumPy's scalars and arrays as Python's."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _pick(design: str, options: ConfigOptions) -> tuple[registry.Design, str, Any]:
    with user_input():
        chosen = registry.design(design)
        return chosen, *configs.configure(chosen.presets(), options.preset, options.config,
                                          options.set or ())


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The designs with their presets, and the built-in networks."""
    designs: dict[str, Any] = {
        name: {"title": d.title, "paper": d.paper,
               "presets": {p: configs.as_dict(p, c) for p, c in d.presets().items()},
               "multipliers": {p: d.shape(c).multipliers for p, c in d.presets().items()}}
        for name, d in registry.designs().items()}
    networks: dict[str, Any] = {
        name: {"title": network(name).title,
               "layers": [layer.name for layer in network(name).layers],
               "macs": sum(layer.macs for layer in network(name).layers)} for name in NAMES}
    if as_json:
        answer({"designs": designs, "networks": networks})
        return
    out().print(text.table("designs", ("design", "what", "presets (multipliers)"), [
        (name, f"{d['title']} ({d['paper']})",
         ", ".join(f"{p} ({n})" for p, n in d["multipliers"].items()))
        for name, d in designs.items()]))
    out().print(text.table("networks", ("network", "what", "layers", "MACs"), [
        (name, n["title"], len(n["layers"]), n["macs"]) for name, n in networks.items()]))


@app.command()
@grouped
def verilog(design: DesignName, config: ConfigOptions, folder: Folder = None,
            as_json: Json = False) -> None:
    """Verilog, manifest, C header and FuseSoC core of a design, into DIR [build/verilog/...]."""
    from hw.emit import emit
    chosen, preset, cfg = _pick(design, config)
    with user_input():
        place = made_folder(folder or Path("build/verilog") / f"{chosen.name}-{preset}")
    with progress.working(f"emitting {chosen.name} ({preset})"):
        with user_input():
            top = chosen.top(cfg)
        emitted = emit(top, chosen.name, config=cfg)
    with user_input():
        emitted.write(place)
    files = {name: len(body.encode()) for name, body in emitted.files().items()}
    if as_json:
        answer({"design": chosen.name, "config": configs.as_dict(preset, cfg),
                "folder": str(place), "files": files})
        return
    out().print(text.table(f"{chosen.name}, preset {preset}, in {place}", ("file", "bytes"),
                           list(files.items())))


Phase = Annotated[str | None, typer.Option(
    "--phase", help="of training, tnpu: fp, bp, gd, wu, all [fp]")]
Schedule = Annotated[str | None, typer.Option(
    "--schedule", help="tnpu: sosm, conventional, time_multiplexed, separate [sosm]")]


Alone = Annotated[bool, typer.Option(
    "--array", help="s2engine: the array alone, buffers and memory aside; faster")]


def _setting(design: str, config: ConfigOptions, memory: MemoryOptions, phase: str | None = None,
             schedule: str | None = None, array: bool = False) -> runs.Setting:
    chosen, preset, cfg = _pick(design, config)
    with user_input():
        if array:
            alone = getattr(chosen, "alone", None)
            if alone is None:
                raise ValueError(f"--array needs a design with an array of its own, not "
                                 f"{chosen.name}")
            chosen = alone()
        if phase or schedule:
            variant = getattr(chosen, "variant", None)
            if variant is None:
                raise ValueError(f"--phase and --schedule need a design that trains, not "
                                 f"{chosen.name}")
            chosen = variant(phase or "fp", schedule or "sosm")
        return runs.Setting(chosen, preset, cfg, memory.memory())


def _show(setting: runs.Setting, result: runs.Answer, verb: str) -> None:
    head = (f"{verb}: {setting.design.name}, preset {setting.preset}, {result.data['layer']} "
            f"({result.data['source']})")
    text.run(out(), head, result.total, result.parts)
    if "compared" in result.data:
        some = result.data["compared"]
        out().print(f"the {len(some['layers'])} layers that published comparisons count: "
                    f"{some['speedup']:.2f}× {result.data['dense_design']}", highlight=False)


@app.command()
@grouped
def model(design: DesignName, config: ConfigOptions, layer: LayerOptions, memory: MemoryOptions,
          phase: Phase = None, schedule: Schedule = None, array: Alone = False,
          as_json: Json = False) -> None:
    """The performance model: cycles, stalls by cause, bounds, speed-up. Exact, in seconds."""
    setting = _setting(design, config, memory, phase, schedule, array)
    with user_input():
        work = workload(layer)
    result = runs.model(setting, work, layer.output)
    if as_json:
        answer(result.data)
    else:
        _show(setting, result, "model")


def _digits(recognised: list[int], labels: list[int]) -> str:
    right = sum(a == b for a, b in zip(recognised, labels, strict=True))
    return (f"digits recognised: {' '.join(map(str, recognised))}; true: "
            f"{' '.join(map(str, labels))}; {right} of {len(labels)} right")


@app.command()
@grouped
def sim(design: DesignName, config: ConfigOptions, layer: LayerOptions, memory: MemoryOptions,
        simulator: Annotated[str, typer.Option(help="verilator or icarus")] = "verilator",
        waves: Annotated[str | None, typer.Option(help="waveform file to write")] = None,
        start: Annotated[int, typer.Option("--from", help="first cycle of the waveform")] = 0,
        stop: Annotated[int | None, typer.Option("--to", help="last cycle of it")] = None,
        scope: Annotated[str | None, typer.Option(help="part of the hierarchy in it")] = None,
        sim_seed: Annotated[int, typer.Option(help="of the simulator's run")] = 1,
        phase: Phase = None, schedule: Schedule = None, as_json: Json = False) -> None:
    """The emitted Verilog in a simulator: outputs against golden's, cycles against the model's."""
    setting = _setting(design, config, memory, phase, schedule)
    with user_input():
        work = workload(layer)
        if simulator not in ("verilator", "icarus"):
            raise ValueError(f"--simulator must be verilator or icarus, not {simulator}")
        if waves and not Path(waves).absolute().parent.is_dir():
            raise ValueError(f"--waves {waves}: must be in a folder that exists")
        if waves and (start < 0 or (stop is not None and stop < start)):
            raise ValueError(f"--from and --to must be 0 ≤ from ≤ to, not {start} and {stop}")
        kinds = (".vcd",) if simulator == "verilator" else (".vcd", ".fst")
        if waves and Path(waves).suffix not in kinds:
            raise ValueError(f"--waves {waves}: must end in {' or '.join(kinds)} with {simulator}")
    window = registry.Waves(waves, start, stop, scope) if waves else None
    result = runs.simulate(setting, work, simulator, seed=sim_seed, waves=window,
                           output=layer.output)
    if as_json:
        answer(result.data)
    else:
        _show(setting, result, f"sim ({simulator})")
        out().print(f"{result.data['mismatches']} outputs differ from golden's; model "
                    f"{result.data['model_cycles']:,} cycles, RTL {result.total.cycles:,}; "
                    f"{result.data['wall_s']:.1f} s", highlight=False)
        if "recognised" in result.data:
            out().print(_digits(result.data["recognised"], result.data["labels"]), highlight=False)
    if result.data["mismatches"]:
        raise RunFailed(f"{work.name}: {result.data['mismatches']} outputs differ from golden's")
    if result.data["differences"]:
        raise RunFailed(f"{work.name}: the RTL and the model must count the same: "
                        f"{'; '.join(result.data['differences'])}")


@app.command()
@grouped
def compare(layer: LayerOptions, memory: MemoryOptions,
            designs: Annotated[str | None, typer.Option(help="a,b,... [all of them]")] = None,
            report: Annotated[Path | None, typer.Option(
                "-o", "--out", metavar="FILE.html", help="a page to write")] = None,
            as_json: Json = False) -> None:
    """Designs side by side on one LAYER, each at its paper's preset, by their models."""
    with user_input():
        names = designs.split(",") if designs else list(registry.designs())
        chosen = [registry.design(name.strip()) for name in names]
        work = workload(layer)
        if report:
            writable(report)
    answers = {}
    for one in chosen:
        setting = _setting(one.name, ConfigOptions(), memory)
        answers[one.name] = runs.model(setting, work).data
        plain = work.unstructured()
        if plain and one.shape(setting.config).blocks:      # both kinds at equal density
            answers[f"{one.name}, unstructured weights"] = runs.model(setting, plain).data
    data = {"layer": work.name, "source": work.source, "designs": answers,
            "memory": next(iter(answers.values()))["memory"],
            "command": shlex.join(["sparseforge", *sys.argv[1:]])}
    if report:
        write_text(report, comparison.page(data))
    if as_json:
        answer(data)
        return
    out().print(text.table(f"{work.name} ({work.source})", ("design", *comparison.COLUMNS),
                           comparison.rows(data)))
    if report:
        out().print(f"written: {report}", highlight=False)


@app.command()
@grouped
def synth(design: DesignName, config: ConfigOptions,
          block: Annotated[str | None, typer.Option(help="one block [the whole design]")] = None,
          target: Annotated[str, typer.Option(help="generic, osu018 or osu035")] = "generic",
          liberty: Annotated[Path | None, typer.Option(help="your own cells, *.lib")] = None,
          as_json: Json = False) -> None:
    """Area by block: cells, flip-flops, gate equivalents, memory bits."""
    from sparseforge.report import area
    chosen, preset, cfg = _pick(design, config)
    data = area.synthesise(chosen, preset, cfg, block, target, liberty)
    if as_json:
        answer(data)
    else:
        area.show(out(), data)


@app.command()
def reproduce(design: DesignName, folder: Folder = None,
              only: Annotated[str | None, typer.Option(
                  "--only", "--figure", help="one section [all of them]")] = None,
              as_json: Json = False) -> None:
    """The paper's tables and figures beside ours, each deviation with its cause; plots into DIR
    [build/reproduce/DESIGN]."""
    with user_input():
        chosen = registry.design(design)
        console = Console(stderr=True, quiet=True) if as_json else out()
        place = made_folder(folder or Path("build/reproduce") / design)
        data = chosen.reproduce(console, place, only)
    if as_json:
        answer(data)


def _whole(option: str, given: str | None, names: str) -> tuple[int, ...] | None:
    """NAMES,... as whole numbers."""
    if given is None:
        return None
    parts = [part.strip() for part in given.split(",")]
    if len(parts) != len(names.split(",")) or not all(part.isdecimal() for part in parts):
        raise ValueError(f"{option} must be {names}, whole numbers, not {given}")
    return tuple(map(int, parts))


@app.command()
def prune(
        network: Annotated[str | None, typer.Option(
            help="digits or digits-mlp: trained here; FILE.onnx: of train --export; alexnet, ...: "
            "synthetic, for sizes")] = None,
        weights: Annotated[Path | None, typer.Option(
            help=".npy, [K, C] or [K, C, R, S]: your own tensor, not retrained")] = None,
        layer: Annotated[str | None, typer.Option(
            help="the layer that the options below are for [all but the last]")] = None,
        block: Annotated[str | None, typer.Option(help="FIN,FOUT,KX,KY")] = None,
        stride: Annotated[str | None, typer.Option(
            help="FIN,FOUT,KX,KY of the block; 0: its side [0,0,0,0]")] = None,
        criterion: Annotated[str | None, typer.Option(help="average or max")] = None,
        density: Annotated[float | None, typer.Option(help="share of synapses to keep")] = None,
        threshold: Annotated[float | None, typer.Option(
            help="prune blocks below it, instead of to a density")] = None,
        bits: Annotated[int | None, typer.Option(help="of weight indices, 1 to 8")] = None,
        submatrix: Annotated[str | None, typer.Option(
            help="OUTPUTS,INPUTS that share a codebook; 0: all")] = None,
        seed: Annotated[int, typer.Option(help="the first seed")] = 0,
        seeds: Annotated[int, typer.Option(help="networks to train")] = 5,
        sweep: Annotated[bool, typer.Option(
            "--sweep", help="block sizes at equal density, average and max")] = False,
        folder: Folder = None, as_json: Json = False) -> None:
    """Coarse-grained pruning, local quantisation and Huffman coding; files and plots into DIR
    [build/prune/NETWORK]."""
    from sparseforge.pruning import command
    with user_input():
        request = command.Request(
            network, weights, layer, _whole("--block", block, "FIN,FOUT,KX,KY"),
            _whole("--stride", stride, "FIN,FOUT,KX,KY"), criterion, density, threshold, bits,
            _whole("--submatrix", submatrix, "OUTPUTS,INPUTS"), seed, seeds, sweep, folder)
        console = Console(stderr=True, quiet=True) if as_json else out()
        data = command.run(request, console)
    if as_json:
        answer(data)


@app.command()
@grouped
def train(design: DesignName, config: ConfigOptions,
          epochs: Annotated[int, typer.Option(help="through golden, over the whole set")] = 24,
          batch: Annotated[int, typer.Option(help="instances of a batch")] = 10,
          rate: Annotated[float, typer.Option(help="learning rate")] = 0.02,
          momentum: Annotated[float, typer.Option()] = 0.9,
          seed: Annotated[int, typer.Option(help="of the first weights and of the order")] = 0,
          schedule: Annotated[str, typer.Option(
              help="sosm, conventional, time_multiplexed or separate")] = "sosm",
          look_ahead: Annotated[int, typer.Option(help="live instances of sosm")] = 3,
          rtl_batches: Annotated[int, typer.Option(
              help="batches that go through the RTL as well")] = 0,
          simulator: Annotated[str, typer.Option(help="verilator or icarus")] = "verilator",
          export: Annotated[Path | None, typer.Option(
              metavar="FILE.onnx", help="the trained network, quantised for the others")] = None,
          gantt: Annotated[Path | None, typer.Option(
              metavar="FILE.png", help="Fig. 5 with the true lengths, every schedule")] = None,
          loss: Annotated[str, typer.Option(
              help="mse, formed on chip, or softmax, by the host between FP and BP")] = "mse",
          fc_gradients: Annotated[str, typer.Option(
              help="added up in memory, kept on chip, or formed once per batch")] = "memory",
          folder: Folder = None, as_json: Json = False) -> None:
    """Trains the handwritten digits in TNPU's arithmetic; curves into DIR [build/train/DESIGN]."""
    from sparseforge.training import command
    chosen, preset, cfg = _pick(design, config)
    with user_input():
        request = command.Request(
            chosen.name, preset, cfg, epochs, batch, rate, momentum, seed, schedule, look_ahead,
            rtl_batches, simulator, folder or Path("build/train") / design, export, gantt,
            loss, fc_gradients)  # type: ignore[arg-type]
        console = Console(stderr=True, quiet=True) if as_json else out()
        data = command.run(request, console)
    if as_json:
        answer(data)


# What typer raises for a bad command line, wherever this version of it keeps the class.
_Usage: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def _quiet(run: Callable[[], Any]) -> int:
    """Runs a command; its exit status, with one line on stderr where it is not 0."""
    from sim.common.runner import BenchFailed, BuildFailed, SimulatorMissing
    try:
        status = run()
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except UserError as error:
        return _complain(error, 2)
    except SimulatorMissing as error:
        return _complain(error, 2)
    except _Usage as error:
        return _complain(error.format_message(), 2)
    except (RunFailed, BenchFailed, BuildFailed) as error:
        return _complain(error, 1)
    except BrokenPipeError:         # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return _complain("interrupted", 130)


def _complain(message: object, status: int) -> int:
    line = " ".join(str(message).split())
    if line:                        # no verb at all: typer has printed the help
        print(f"sparseforge: {line}", file=sys.stderr)
    return status


def run(arguments: list[str]) -> int:
    """The command on these arguments; its exit status."""
    return _quiet(lambda: app(arguments, prog_name="sparseforge", standalone_mode=False))


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:]))
