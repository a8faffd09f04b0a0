"""Emission: each block once, the same bytes every time, and the papers beside the Verilog."""

import json
import os
import re
import subprocess
import sys

import pytest
from amaranth import ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from hw.common.shared import Shared
from hw.common.stream.register import Register
from hw.emit import EmitError, emit, emit_kept
from sim.common.runner import SIMULATORS, simulate
from tests.common.copier import Copier


class Delay(wiring.Component):
    """o is i, `depth` cycles ago, through a memory."""

    def __init__(self, width, *, depth):
        self.width, self.depth = width, depth
        super().__init__({"i": In(width), "o": Out(width), "nothing": In(0)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = Memory(shape=self.width, depth=self.depth, init=[])
        write, read = ring.write_port(), ring.read_port()
        at, following = Signal(range(self.depth)), Signal(range(self.depth))
        m.d.comb += following.eq(at + 1)
        with m.If(at == self.depth - 1):
            m.d.comb += following.eq(0)
        m.d.sync += at.eq(following)
        m.d.comb += [write.en.eq(1), write.addr.eq(at), write.data.eq(self.i),
                     read.addr.eq(following), self.o.eq(read.data)]
        return m


class Pair(wiring.Component):
    """Two delays, a short and a long one: a shared block of shared blocks."""

    def __init__(self, width):
        self.width = width
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.short = short = Shared(Delay, self.width, depth=3)
        m.submodules.long = long = Shared(Delay, self.width, depth=512)
        m.d.comb += [short.i.eq(self.i), long.i.eq(short.o), self.o.eq(long.o)]
        return m


class Array(wiring.Component):
    """`n` pairs in a row."""

    def __init__(self, n):
        self.n = n
        super().__init__({"i": In(8), "o": Out(8)})

    def elaborate(self, platform):
        m = Module()
        value = self.i
        for k in range(self.n):
            m.submodules[f"pair_{k}"] = pair = Shared(Pair, 8)
            m.d.comb += pair.i.eq(value)
            value = pair.o
        m.d.comb += self.o.eq(value)
        return m


def counts(emitted):
    return {block["name"]: block["count"] for block in emitted.manifest["blocks"]}


def test_each_block_once():
    emitted = emit(Array(64), "array")
    assert counts(emitted) == {"Delay": 64, "Delay_1": 64, "Pair": 64, "array": 1}
    assert re.findall(r"^module (\w+)", emitted.verilog, re.M) == sorted(counts(emitted))
    assert emitted.verilog.count("Pair pair_") == 64
    small = len(emit(Array(1), "array").verilog)
    assert len(emitted.verilog) < small + 64 * 400    # a connection each, no copies


def test_without_emission_a_copy_is_simulated():
    top = Array(1)

    async def bench(ctx):
        for n in range(600):
            ctx.set(top.i, n % 251)
            await ctx.tick()
            assert n < 515 or ctx.get(top.o) == (n - 514) % 251
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("seed", ["0", "1"])
def test_same_bytes_in_another_process(seed, tmp_path):
    program = ("from tests.common.test_emit import Array; from hw.emit import emit; import sys; "
               "emit(Array(3), 'array', config={'b': 1, 'a': 2}).write(sys.argv[1])")
    for build in ("x", "y"):    # an empty cache each
        subprocess.run([sys.executable, "-c", program, str(tmp_path / "out" / build)], check=True,
                       env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd(),
                            "SPARSEFORGE_BUILD": str(tmp_path / build)})
    emit(Array(2), "other")
    here = emit(Array(3), "array", config={"b": 1, "a": 2}).files()
    assert sorted(here) == ["array.core", "array.v", "manifest.json"]
    for name, text in here.items():
        for build in ("x", "y"):
            assert (tmp_path / "out" / build / name).read_text() == text


def test_no_paths_no_attributes():
    text = emit(Array(1), "array").verilog
    assert ".py" not in text and "(*" not in text


def test_big_memories_by_name():
    memories = emit(Array(2), "array").manifest["memories"]
    assert memories == [
        {"block": "Delay", "name": "ring", "width": 8, "depth": 3, "read_ports": 1,
         "write_ports": 1, "bits": 24, "count": 2, "sram": False},
        {"block": "Delay_1", "name": "sram_ring", "width": 8, "depth": 512, "read_ports": 1,
         "write_ports": 1, "bits": 4096, "count": 2, "sram": True}]
    assert "reg [7:0] sram_ring [511:0]" in emit(Array(2), "array").verilog


def test_manifest_and_header():
    emitted = emit(Copier(), "copier", config={"data_bits": 64})
    assert emitted.manifest["config"] == {"data_bits": 64}
    assert {"name": "memory__ar__payload__addr", "dir": "out", "width": 32} in (
        emitted.manifest["ports"])
    assert emitted.manifest["registers"][2]["name"] == "COUNT"
    files = emitted.files()
    assert "#define COPIER_COUNT 0x008u" in files["copier.h"]
    assert json.loads(files["manifest.json"]) == emitted.manifest
    assert files["copier.core"].startswith("CAPI=2:\n")


def test_bad_names_and_parameters():
    array = Array(1)
    emit(array, "array")
    with pytest.raises(EmitError, match="must be a Verilog identifier, not 'a-b'"):
        emit(array, "a-b")
    with pytest.raises(TypeError, match=r"Shared\(Delay\): every parameter must be hashable"):
        Shared(Delay, [8], depth=2)


class Placed(wiring.Component):
    """A shared counter in a domain that `clear` resets, one in sync."""

    def __init__(self):
        super().__init__({"i_clear": In(1), "o_cleared": Out(8), "o_free": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.domains.inner = inner = ClockDomain("inner", local=True)
        m.submodules.cleared = cleared = DomainRenamer("inner")(Shared(Count))
        m.submodules.free = free = Shared(Count)
        m.d.comb += [inner.clk.eq(ClockSignal()), inner.rst.eq(ResetSignal() | self.i_clear),
                     self.o_cleared.eq(cleared.o), self.o_free.eq(free.o)]
        return m


class Count(wiring.Component):
    """Counts cycles."""

    def __init__(self):
        super().__init__({"o": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.o + 1)
        return m


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_domain_of_the_place(simulator):
    simulate(Placed(), "tests.common.bench_placed", simulator=simulator)


def test_nothing_is_x_after_reset():
    simulate(Copier(), "tests.common.bench_no_x", simulator="icarus")
    simulate(Array(2), "tests.common.bench_no_x", simulator="icarus")


def test_what_was_emitted_is_found_again_until_the_source_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSEFORGE_BUILD", str(tmp_path))
    elaborated = []
    monkeypatch.setattr(Register, "elaborate",
                        lambda self, platform, usual=Register.elaborate:
                        elaborated.append(self.shape) or usual(self, platform))

    def kept(width):
        return emit_kept(Register, width, "held")
    first = kept(5)
    assert first == kept(5) == emit(Register(5), "held") and elaborated == [5, 5]
    assert kept(6) != first and elaborated == [5, 5, 6]
    monkeypatch.setattr("hw.emit._sources_key", lambda: "another source")
    assert kept(5) == first and elaborated == [5, 5, 6, 5]
