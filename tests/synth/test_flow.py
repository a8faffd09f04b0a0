"""The synthesis flow on small blocks whose cells are known."""

import json
from pathlib import Path

import pytest
from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from rich.console import Console

from hw.common.shared import Shared
from hw.emit import emit
from hw.tnpu.fp32 import Adder as FloatAdder
from synth import flow, report
from synth.modules import alone, counts, modules


class Reg(wiring.Component):
    """A register of `width` bits without an enable."""

    def __init__(self, width):
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        held = Signal.like(self.o, reset_less=True)
        m.d.sync += held.eq(self.i)
        m.d.comb += self.o.eq(held)
        return m


class Xor(wiring.Component):
    """`width` XOR gates."""

    def __init__(self, width):
        super().__init__({"a": In(width), "b": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self.a ^ self.b)
        return m


class Adder(wiring.Component):
    def __init__(self, width):
        super().__init__({"a": In(signed(width)), "b": In(signed(width)),
                          "o": Out(signed(width + 1))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self.a + self.b)
        return m


class Ram(wiring.Component):
    """One read and one write port, synchronous."""

    def __init__(self, width, depth):
        self.width, self.depth = width, depth
        super().__init__({"waddr": In(range(depth)), "wdata": In(width), "wen": In(1),
                          "raddr": In(range(depth)), "rdata": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.cells = cells = Memory(shape=self.width, depth=self.depth, init=[])
        write, read = cells.write_port(), cells.read_port()
        m.d.comb += [write.addr.eq(self.waddr), write.data.eq(self.wdata), write.en.eq(self.wen),
                     read.addr.eq(self.raddr), self.rdata.eq(read.data)]
        return m


class Chain(wiring.Component):
    """`n` registers of four bits one after the other, then an XOR with the input."""

    def __init__(self, n):
        self.n = n
        super().__init__({"i": In(4), "o": Out(4)})

    def elaborate(self, platform):
        m = Module()
        value = self.i
        for k in range(self.n):
            m.submodules[f"reg_{k}"] = reg = Shared(Reg, 4)
            m.d.comb += reg.i.eq(value)
            value = reg.o
        m.submodules.mix = mix = Xor(4)
        m.d.comb += [mix.a.eq(value), mix.b.eq(self.i), self.o.eq(mix.o)]
        return m


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARSEFORGE_BUILD", str(tmp_path / "build"))


def test_a_register_is_its_flip_flops():
    total = flow.synthesise(Reg(13))["total"]
    assert (total["flipflops"], total["cell_count"], total["memory_bits"]) == (13, 13, 0)
    assert (total["gate_equivalents"], total["levels"]) == (13 * 4.0, 0)


def test_xors_are_weighed():
    result = flow.synthesise(Xor(6))
    assert result["blocks"]["top"]["cells"] == {"$_XOR_": 6}
    assert result["weights"] == {"$_XOR_": 2.3333}
    assert result["total"]["gate_equivalents"] == 14.0
    assert result["total"]["levels"] == 1


def test_an_adder_grows_with_its_width():
    small, large = (flow.synthesise(Adder(width))["total"] for width in (8, 32))
    assert small["flipflops"] == large["flipflops"] == 0
    # A full adder is two XORs and a carry of 3 NAND2: between 5 and 12 NAND2 a bit, however built.
    for total, width in ((small, 8), (large, 32)):
        assert 5 * width <= total["gate_equivalents"] <= 12 * width


def test_a_memory_at_the_threshold_is_bits():
    block = flow.synthesise(Ram(24, 32), sram_bits=768)["blocks"]["top"]
    assert block["memory_bits"] == 768
    assert block["memories"] == [{"name": "cells", "width": 24, "depth": 32, "read_ports": 1,
                                  "write_ports": 1, "bits": 768}]
    assert block["flipflops"] == 0


def test_a_memory_below_the_threshold_is_flip_flops():
    block = flow.synthesise(Ram(24, 32), sram_bits=769)["blocks"]["top"]
    assert (block["memory_bits"], block["memories"]) == (0, [])
    assert block["flipflops"] == 24 * 32 + 24     # the words and the read port's register


def test_a_large_memory_costs_no_cell_per_word():
    text = emit(Ram(13, 1 << 16), "ram").verilog
    assert "for (i = 0; i < 65536" in text
    known = modules(text)
    assert "initial" not in alone(known["ram"], known)
    assert flow.synthesise(Ram(13, 1 << 16))["total"]["memory_bits"] == 13 << 16


def test_blocks_are_multiplied_by_their_instances():
    result = flow.synthesise(Chain(5), name="chain")
    blocks = result["blocks"]
    assert set(blocks) == {"chain", "Reg", "chain_mix"}
    assert blocks["Reg"]["instances"] == 5
    assert blocks["chain"]["children"] == {"Reg": 5, "chain_mix": 1}
    assert blocks["chain"]["cell_count"] == 0
    assert result["total"]["flipflops"] == 20
    assert result["total"]["gate_equivalents"] == pytest.approx(20 * 4 + 4 * 7 / 3, abs=0.01)


def test_equal_blocks_of_other_names_are_synthesised_once():
    class Two(Chain):
        def elaborate(self, platform):
            m = Module()
            m.submodules.left, m.submodules.right = left, right = Xor(4), Xor(4)
            m.d.comb += [left.a.eq(self.i), right.a.eq(left.o), self.o.eq(right.o)]
            return m
    seen = []
    result = flow.synthesise(Two(1), progress=lambda done, total, name: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    assert result["blocks"]["top_right"]["same_as"] == "top_left"
    assert [(name, n) for name, _, n in report.merged(result)] == [("top", 1), ("top_left", 2)]


def test_the_same_bytes_twice_and_with_one_job(tmp_path, monkeypatch):
    texts = []
    for jobs in (1, 2):
        monkeypatch.setenv("SPARSEFORGE_BUILD", str(tmp_path / f"build{jobs}"))
        result = flow.synthesise(Chain(3), name="chain", jobs=jobs)
        texts.append(flow.save(result, tmp_path / str(jobs)).read_bytes())
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["design"] == "chain"
    assert [path.name for path in (tmp_path / "1").iterdir()] == ["chain.json"]


def test_the_second_run_is_answered_from_the_build_folder(monkeypatch):
    first = flow.synthesise(Chain(3))

    def fail(*args):
        raise AssertionError("synthesised again")
    monkeypatch.setattr(flow, "_yosys", fail)
    assert flow.synthesise(Chain(3)) == first


def test_rows_inherit_from_the_parent():
    result = flow.synthesise(Chain(5), name="chain")
    rows = report.group(result, [("*_mix", "mixer"), ("Reg", "registers")])
    assert list(rows) == ["mixer", "registers", "other"]
    assert rows["registers"]["flipflops"] == 20
    assert rows["mixer"]["gate_equivalents"] == pytest.approx(28 / 3, abs=0.01)
    assert rows["other"]["gate_equivalents"] == 0
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1, abs=1e-5)
    named = report.group(result, [("*_mix", "other"), ("Reg", "registers")])
    assert list(named) == ["registers", "other"]
    inherited = report.group(result, [("chain", "all of it")])
    assert inherited["all of it"]["flipflops"] == 20
    assert inherited["other"]["share"] == 0


def test_memory_ports_weigh():
    rows = report.group(flow.synthesise(Ram(24, 32)), [])
    assert rows["other"]["memory_ge"] == 768 * 2.0    # eight transistors a bit, four a NAND2


def test_tables_show_every_block():
    result = flow.synthesise(Chain(2), name="chain")
    console = Console(width=160, record=True, file=open("/dev/null", "w"))    # noqa: SIM115
    with console.file:
        console.print(report.table(result))
        console.print(report.rows_table(report.group(result, []), "rows", {"other": 100}))
    text = console.export_text()
    assert all(name in text for name in ("chain", "Reg", "chain_mix", "100.0"))


# Without logic: to map it, ABC wants a full library's timing tables (osu018 below).
LIBRARY = """
library (tiny) {
  cell (NAND2X1) { area : 10;
    pin(A) { direction : input; } pin(B) { direction : input; }
    pin(Y) { direction : output; function : "(!(A B))"; } }
  cell (DFF) { area : 45;
    ff (IQ, IQN) { clocked_on : "CLK"; next_state : "D"; }
    pin(CLK) { direction : input; clock : true; } pin(D) { direction : input; }
    pin(Q) { direction : output; function : "IQ"; } }
}
"""


def test_area_comes_from_the_liberty_file(tmp_path):
    path = tmp_path / "tiny cells.lib"
    path.write_text(LIBRARY)
    result = flow.synthesise(Reg(7), liberty=path)
    assert result["blocks"]["top"]["cells"] == {"DFF": 7}
    assert (result["target"], result["total"]["area_um2"]) == ("tiny cells", 7 * 45)
    assert result["total"]["gate_equivalents"] == 7 * 4.5
    assert flow.synthesise(Reg(2), target=str(path))["total"]["area_um2"] == 2 * 45


def test_a_netlist_on_which_abc_crashes_keeps_its_gates():
    if flow.TECHNOLOGIES["osu018"].exists():
        total = flow.synthesise(FloatAdder(4), target="osu018")["total"]
        assert 3000 < total["path_ps"] < 9000 and total["flipflops"] > 200


def test_osu018_gives_area_and_delay():
    if not flow.TECHNOLOGIES["osu018"].exists():    # the package is optional: then say so
        with pytest.raises(flow.TargetError, match="apt-get install qflow-tech-osu018"):
            flow.synthesise(None, target="osu018")
        return
    total = flow.synthesise(Xor(6), target="osu018")["total"]
    assert total["area_um2"] == 6 * 56
    assert total["gate_equivalents"] == pytest.approx(6 * 56 / 24, abs=0.01)
    assert 0 < total["path_ps"] < 1000


@pytest.mark.parametrize("asked, message", [
    ({"target": "tsmc16"}, r"target must be generic, osu018, osu035 or a Liberty file \(\*\.lib\), "
                           r"not 'tsmc16'"),
    ({"target": "gone.lib"}, "Liberty file gone.lib: there is no such file"),
    ({"liberty": "gone"}, "Liberty file gone: there is no such file"),
])
def test_a_bad_target_is_refused(asked, message):
    with pytest.raises(flow.TargetError, match=message):
        flow.synthesise(None, **asked)


def test_a_liberty_file_without_cells_is_refused(tmp_path):
    path = tmp_path / "empty.lib"
    path.write_text("library (empty) { }\n")
    with pytest.raises(flow.TargetError, match="must hold a cell named like NAND2"):
        flow.synthesise(None, liberty=path)


def test_a_missing_technology_says_what_to_install(monkeypatch):
    monkeypatch.setitem(flow.TECHNOLOGIES, "osu018", Path("/nowhere/osu018.lib"))
    with pytest.raises(flow.TargetError, match="apt-get install qflow-tech-osu018"):
        flow.synthesise(None, target="osu018")


def test_a_threshold_below_one_is_refused():
    with pytest.raises(ValueError, match="sram_bits must be at least 1, not 0"):
        flow.synthesise(None, sram_bits=0)


def test_what_yosys_refuses_names_the_block():
    with pytest.raises(flow.SynthError, match=r"block top: Yosys cannot synthesise it: .*nowhere"):
        flow.synthesise_verilog("module top(a);\n  input a;\n  nowhere x (\n    .a(a)\n  );\n"
                                "endmodule\n", "top", flow._target())


def test_an_unknown_top_is_refused():
    known = modules("module a();\nendmodule\n")
    with pytest.raises(ValueError, match="the top module must be one of a, not b"):
        counts(known, "b")
