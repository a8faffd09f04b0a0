"""The mutation recipe: how good is a bench? A block and its bench name themselves.

    mutate(FIFO(6, 5), "sim.common.bench_fifo", config={"depth": 5, "width": 6})

Some hundred single faults (an inverted, stuck or swapped bit of a cell) are put into the emitted
netlist, all of them in one, each switched on by a number on an extra input. The bench's tests run
against each. A mutant that passes them all must be proven equivalent to the original: no bench can
tell them apart. Otherwise the bench misses something, and ``mutate`` says what.
"""
import dataclasses
import re
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pyosys
from amaranth.back import rtlil
from amaranth.hdl import (
    Assert,
    Assume,
    Cat,
    ClockSignal,
    Const,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.emit import Emitted, emit
from sim.common.formal import hold, run_yosys, streams
from sim.common.runner import BenchFailed, build, run

# Faults of the simulator's model of a memory or clock, not of a circuit.
LEFT_OUT = re.compile(r"-port \\?(RD_SRST|RD_ARST|RD_EN|RD_CLK|WR_CLK|CLK)\b")
SECONDS = 60    # for each proof of equivalence
# What yosys-abc says in the end.
SAME = ("Property proved", "UNSATISFIABLE", "Networks are equivalent")
DIFFERENT = ("was asserted", "Networks are not equivalent")


class MutantSurvived(AssertionError):
    """A mutant that differs from the original passes the bench; or the original does not."""


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of the mutants: ``killed`` by the bench, proven ``equivalent`` (both counts), and
    ``undecided``: a line for each that no proof decided in the time."""

    killed: int
    equivalent: int
    undecided: tuple


@dataclasses.dataclass(frozen=True)
class Mutants:
    """All mutants in one netlist. ``faults[k - 1]`` says what mutant k is; 0 is the original."""

    emitted: Emitted
    rtlil: str
    faults: tuple
    select_bits: int


def plant(emitted, count, seed=1, only=None):
    """A `Mutants` with ``count`` single faults in the netlist (all there are, if fewer).

    ``only``: a pattern of the cells and wires that may be at fault, by their path in the netlist.
    """
    top = emitted.name
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "design.v").write_text(emitted.verilog)
        run_yosys([f"read_verilog {folder}/design.v", f"prep -flatten -top {top}",
                   "memory_map -rom-only", "pmuxtree",
                   # What is not driven in one branch (a memory's address while nothing is written)
                   # would be X in the simulator and anything in the proof.
                   "opt_expr -mux_undef", "opt_clean", "setundef -zero",
                   f"write_rtlil {folder}/original.il",
                   f"mutate -list {(2 if only is None else 40) * count} -seed {seed} "
                   f"-o {folder}/list"])
        lines = [line for line in (folder / "list").read_text().splitlines()
                 if not LEFT_OUT.search(line) and (only is None or re.search(only, line))][:count]
        bits = (len(lines) + 1).bit_length()    # one number more, without a fault
        script = folder / "plant.ys"
        script.write_text("\n".join(line.replace("mutate ", f"mutate -ctrl mutsel {bits} {k} ", 1)
                                    for k, line in enumerate(lines, 1)))
        run_yosys([f"read_rtlil {folder}/original.il", f"script {script}", "opt_clean",
                   f"write_rtlil {folder}/mutants.il",
                   f"write_verilog -noattr {folder}/mutants.v"])
        verilog = (folder / "mutants.v").read_text()
        return Mutants(dataclasses.replace(emitted, verilog=verilog),
                       (folder / "mutants.il").read_text(), tuple(map(_short, lines)), bits)


def _short(line):
    """What a reader needs of a line of ``mutate -list``: the fault and the place."""
    words = re.findall(r"-(mode|cell|port|portbit|ctrlbit) (\S+)", line)
    return " ".join(re.sub(r"/\S*/", "", value) for _, value in words)


class Planted(wiring.Component):
    """Mutants in place of their component, ``mutsel`` choosing one, inside a larger top."""

    def __init__(self, component, mutants):
        self.mutants = mutants
        super().__init__(component.signature)
        self.mutsel = Signal(mutants.select_bits)

    def elaborate(self, platform):
        m = Module()
        ports = {p["name"] for p in self.mutants.emitted.manifest["ports"]}
        pins = [("i", "clk", ClockSignal()), ("i", "rst", ResetSignal()),
                ("i", "mutsel", self.mutsel)]
        for path, member, value in self.signature.flatten(self):
            name = "__".join(map(str, path))
            if name in ports:
                pins.append(("i" if member.flow == In else "o", name, value))
        m.submodules.mutants = Instance(self.mutants.emitted.name, *pins)
        return m


def _within(mutants, component, around):
    """The mutants with ``around(planted)`` around them; its port ``mutsel`` is not the bench's."""
    top = emit(around(Planted(component, mutants)), f"{mutants.emitted.name}_bench")
    ports = [p for p in top.manifest["ports"] if p["name"] != "mutsel"]
    return dataclasses.replace(top, verilog=top.verilog + mutants.emitted.verilog,
                               manifest={**top.manifest, "ports": ports})


def survivors(mutants, emitted, bench, *, config=None, seed=1, sources=()):
    """The numbers of the mutants in ``emitted`` that pass every test of ``bench``, in Icarus."""
    built = build(emitted, simulator="icarus", sources=sources)
    with tempfile.NamedTemporaryFile("r", suffix=".alive") as result:
        env = {"MUTANTS_BENCH": bench, "MUTANTS": str(len(mutants.faults)),
               "MUTANTS_ALIVE": result.name, "COCOTB_LOG_LEVEL": "ERROR"}
        failure = "no report"
        try:
            run(built, "sim.common.bench_mutants", config=config, seed=seed, env=env)
        except BenchFailed as failed:    # also if only a task of a mutant's test failed
            failure = str(failed)
        alive = [int(word) for word in result.read().split()]
    if alive[:1] != [0] or alive[-1] != len(mutants.faults) + 1:
        raise MutantSurvived(f"{bench} fails on the unmutated {mutants.emitted.name}: {failure}")
    return alive[1:-1]


def _payload(stream, ports):
    """The names of the ports that are a stream's payload."""
    return [name for name in ports if re.fullmatch(f"{stream}__payload(__.*)?", name)]


class _Miter(Elaboratable):
    """Two copies of the netlist on the same inputs, one unmutated. What a reader may rely on must
    be the same: every output, but a stream's payload only while valid, and those that `matters`
    names only while the output named there is high."""

    def __init__(self, component, mutants, assume, matters, settle):
        self.component = component
        self.mutants = mutants
        self.settle = settle
        self.assume = assume
        self.matters = matters
        ports = [p for p in mutants.emitted.manifest["ports"] if p["name"] not in ("clk", "rst")]
        self.inputs = {p["name"]: Signal(p["width"], name=p["name"])
                       for p in ports if p["dir"] == "in"}
        self.original, self.mutant = ({p["name"]: Signal(p["width"], name=f"{copy}_{p['name']}")
                                       for p in ports if p["dir"] == "out"}
                                      for copy in ("original", "mutant"))
        self.select = Signal(mutants.select_bits, name="select")

    def ports(self):
        """All inputs; ``select`` is the number of the mutant."""
        return [*self.inputs.values(), self.select]

    def _copy(self, select, outputs):
        return Instance(
            self.mutants.emitted.name, ("i", "mutsel", select),
            ("i", "clk", ClockSignal()), ("i", "rst", ResetSignal()),
            *(("i", name, signal) for name, signal in self.inputs.items()),
            *(("o", name, signal) for name, signal in outputs.items()))

    def elaborate(self, platform):
        m = Module()
        m.submodules += [self._copy(Const(0, len(self.select)), self.original),
                         self._copy(self.select, self.mutant)]
        # Registers start alike, those without an initial value (or whose output is mutated, which
        # loses it) as 0; so the first cycle is a reset.
        running, cycles = Signal(reset_less=True), Signal(range(self.settle + 2), reset_less=True)
        filled = Signal()
        m.d.sync += running.eq(1)
        with m.If(~filled):
            m.d.sync += cycles.eq(cycles + 1)
        m.d.comb += [Assume(running | ResetSignal()), filled.eq(cycles == self.settle + 1)]
        if self.assume is not None:
            self.assume(m, self._as_block())
        matters = {name: self.original[by] for name, by in self.matters.items()}
        for name, flow, _ in streams(self.component):
            if flow == In:
                hold(m, self._stream(name), name, Assume)
            else:
                valid = self.original.get(f"{name}__valid", Const(1))
                matters |= dict.fromkeys(_payload(name, self.original), valid)
        for name, signal in self.original.items():
            same = signal == self.mutant[name]
            m.d.comb += Assert(same | ~matters.get(name, Const(1)) | ~filled, f"{name} differs")
        return m

    def _as_block(self):
        """The original's ports by the component's own paths."""
        block = SimpleNamespace()
        signals = {**self.inputs, **self.original}
        for path, _, _ in self.component.signature.flatten(self.component):
            *stem, last = map(str, path)
            place = block
            for part in stem:
                if not hasattr(place, part):
                    setattr(place, part, SimpleNamespace())
                place = getattr(place, part)
            setattr(place, last, signals.get("__".join(map(str, path)), Const(1)))
        return block

    def _stream(self, name):
        payload = Cat(self.inputs[port] for port in _payload(name, self.inputs))
        return SimpleNamespace(payload=payload,
                               valid=self.inputs.get(f"{name}__valid", Const(1)),
                               ready=self.original.get(f"{name}__ready", Const(1)))


def _miters(component, mutants, numbers, folder, assume, matters, settle):
    """One AIGER file per mutant, in one run of Yosys."""
    top = _Miter(component, mutants, assume, matters, settle)
    (folder / "miter.il").write_text(rtlil.convert(top, name="miter", ports=top.ports()))
    (folder / "mutants.il").write_text(mutants.rtlil)
    commands = [f"read_rtlil {folder}/mutants.il", f"read_rtlil {folder}/miter.il",
                "prep -flatten -top miter", "memory_map", "async2sync", "chformal -lower",
                "chformal -assume -early", "opt_clean",
                # All registers begin at 0, those that do not behind inverters; no other wire has an
                # initial value, for a mutant may tie it to another.
                "zinit -all", "setattr -unset init w:*", "setundef -zero -init",
                "design -save all"]
    for number in numbers:
        commands += ["design -load all", "cd miter", "delete -input w:select",
                     f"connect -set select {mutants.select_bits}'d{number}", "cd",
                     "opt -full", "setundef -zero -init", "formalff -setundef -clk2ff -hierarchy",
                     "techmap", "opt -fast", "aigmap", "opt_clean",
                     f"write_aiger -I -B -zinit -no-startoffset {folder}/{number}.aig"]
    (folder / "miters.ys").write_text("\n".join(commands))
    run_yosys([f"script {folder}/miters.ys"])


def _compare(aiger):
    """True: equivalent for ever, from reset on; False: a run tells them apart; None: no answer.
    Beside it, what the solver said."""
    # First what takes a second: most mutants that differ nowhere are merged by induction.
    for engine in ("scorr; dprove -T 5", f"pdr -T {SECONDS}", f"scorr; dprove -T {SECONDS}"):
        script = f"read_aiger {aiger}; fold; strash; orpos; {engine}"
        done = subprocess.run([Path(pyosys.__file__).parent / "yosys-abc", "-c", script],
                              capture_output=True, text=True, check=False,
                              cwd=Path(aiger).parent)       # it leaves files where it runs
        said = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no answer"
        if any(words in done.stdout for words in DIFFERENT):
            return False, said
        if any(words in done.stdout for words in SAME):
            return True, said
    return None, said


def mutate(component, bench, *, name, config=None, count=300, seed=1, around=None, sources=(),
           assume=None, matters=None, settle=0):
    """Runs ``bench`` against ``count`` mutants of ``component``; a `Report` if none survives.

    Parameters
    ----------
    component : wiring.Component
    bench : str
        Module with cocotb tests, as for `simulate`; ``config`` and ``seed`` likewise.
    name : str
        Of the emitted module.
    around : callable or None
        What the bench wants around the block: from a `Planted` in the component's place to a
        component with its ``mutsel`` as a port. ``sources``: Verilog files that it needs.
    assume : callable or None
        What a proof of equivalence may assume of the block's surroundings, beside the stream
        contract: from (m, block), block having the component's ports.
    matters : dict or None
        Outputs that nobody looks at but while another one is high: {"sum": "done"}.
    settle : int
        Cycles after the first in which no output matters: those that a pipeline without reset needs
        until nothing of what its registers held at first is in it.

    Raises
    ------
    MutantSurvived
        If a mutant passes the bench and a run exists in which it differs from the original, or if
        the original does not pass. Names each such fault.
    """
    mutants = plant(emit(component, name), count, seed)
    tested = mutants.emitted if around is None else _within(mutants, component, around)
    alive = survivors(mutants, tested, bench, config=config, seed=seed, sources=sources)
    return judge(component, mutants, alive, bench, assume=assume, matters=matters,
                 settle=settle)


def judge(component, mutants, alive, bench, *, assume=None, matters=None, settle=0):
    """A `Report` of ``mutants``, of which those numbered ``alive`` passed ``bench``; the rest as
    for `mutate`, MutantSurvived included."""
    different, undecided = [], []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        _miters(component, mutants, alive, folder, assume, matters or {}, settle)
        for number in alive:
            same, said = _compare(folder / f"{number}.aig")
            if not same:
                (undecided if same is None else different).append(
                    f"{number}: {mutants.faults[number - 1]} ({said})")
    if different:
        raise MutantSurvived(
            f"{bench} misses {len(different)} of {len(mutants.faults)} mutants of "
            f"{mutants.emitted.name}:\n" + "\n".join(different))
    return Report(len(mutants.faults) - len(alive), len(alive) - len(undecided), tuple(undecided))
