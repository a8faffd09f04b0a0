"""The runner: a bench passes or fails in both simulators, and says why."""

import pytest
from amaranth import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared
from hw.emit import emit
from sim.common import runner
from sim.common.runner import SIMULATORS, BenchFailed, BuildFailed, SimulatorMissing, simulate
from sim.common.waves import Waves


class Adder(wiring.Component):
    """Adds `k` to each word of a stream, one register deep."""

    def __init__(self, k):
        self.k = k
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        full = Signal()
        m.d.comb += [self.i.ready.eq(~full | self.o.ready), self.o.valid.eq(full)]
        with m.If(self.i.ready):
            m.d.sync += [full.eq(self.i.valid), self.o.payload.eq(self.i.payload + self.k)]
        return m


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_passes(simulator):
    simulate(Adder(3), "tests.common.bench_adder", simulator=simulator, config={"k": 3})


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_fails_with_the_message(simulator):
    with pytest.raises(BenchFailed, match=r"adds.*AssertionError.*wrong sum"):
        simulate(Adder(4), "tests.common.bench_adder", simulator=simulator, config={"k": 3})


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_builds_once(simulator, tmp_path, monkeypatch):
    emitted = emit(Adder(5), "adder")
    monkeypatch.setenv("SPARSEFORGE_BUILD", str(tmp_path))
    first = runner.build(emitted, simulator=simulator)
    monkeypatch.setattr(runner._Job, "build", None)    # a second build would fail
    assert runner.build(emitted, simulator=simulator) == first
    monkeypatch.undo()
    monkeypatch.setenv("SPARSEFORGE_BUILD", str(tmp_path))
    assert runner.build(emit(Adder(6), "adder"), simulator=simulator) != first


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_refused_by_the_simulator(simulator, tmp_path):
    bad = tmp_path / "bad.v"
    bad.write_text("module bad(input a); assign b = ; endmodule")
    with pytest.raises(BuildFailed, match=f"{simulator} cannot build Adder: .*error"):
        simulate(Adder(3), "tests.common.bench_adder", simulator=simulator, sources=[bad])


@pytest.mark.parametrize("simulator, tool", [("icarus", "iverilog"), ("verilator", "verilator")])
def test_missing_simulator(simulator, tool, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(runner, "find_spec", lambda name: None)
    with pytest.raises(SimulatorMissing, match=f"{simulator} is not installed: `.* install"):
        simulate(Adder(3), "tests.common.bench_adder", simulator=simulator)


def test_unknown_simulator():
    with pytest.raises(ValueError, match="simulator must be one of icarus, verilator, not 'vcs'"):
        simulate(Adder(3), "tests.common.bench_adder", simulator="vcs")


def test_ends_what_does_not_end():
    built = runner.build(emit(Adder(3), "adder"), simulator="icarus")
    with pytest.raises(BenchFailed, match="no end after 2 s"):
        runner.run(built, "tests.common.bench_endless", seconds=2)


def test_hierarchical(tmp_path):
    """Blocks verilated on their own behave the same and can be traced."""
    waves = Waves(tmp_path / "row.vcd", scope="adder_1")
    simulate(Row(), "tests.common.bench_adder", simulator="verilator", opt=1, hier=(Adder,),
             config={"k": 6, "latency": 2}, waves=waves)
    assert " o__payload " in (tmp_path / "row.vcd").read_text()
    row = Row()
    with pytest.raises(ValueError, match="hier: Row has no block Nothing"):
        runner.build(emit(row, "Row"), simulator="verilator", hier=("Nothing",))


class Row(wiring.Component):
    """Two adders of 3, one after the other."""

    def __init__(self):
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.adder_0 = first = Shared(Adder, 3)
        m.submodules.adder_1 = second = Shared(Adder, 3)
        wiring.connect(m, wiring.flipped(self.i), first.i)
        wiring.connect(m, first.o, second.i)
        wiring.connect(m, second.o, wiring.flipped(self.o))
        return m
