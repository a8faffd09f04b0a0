"""Waveforms: the window, the scope and the views, in both simulators."""

import re

import pytest

from hw.emit import emit
from sim.common.program import build_program, run_programs
from sim.common.runner import SIMULATORS
from sim.common.waves import Waves, find_scope
from tests.common.copier import Copier
from tests.common.test_program import job


def record(simulator, waves):
    emitted = emit(Copier(), "copier")
    build = build_program(emitted, simulator=simulator, memory_bytes=1 << 16, waves=waves)
    run_programs(build, [job(bytes(range(128)), 0, 64, 8, latency=4)], waves=waves)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_window_and_scope(simulator, tmp_path):
    record(simulator, Waves(tmp_path / "a.vcd", 20, 29, "inverter"))
    text = (tmp_path / "a.vcd").read_text()
    names = re.findall(r"^\s*\$var \w+ \d+ \S+ ([\w$]+)", text, re.M)
    assert {"clk", "i", "o"} <= set(names)
    assert "index" not in names and "violation" not in names
    times = [int(t) for t in re.findall(r"^#(\d+)", text, re.M)]
    unit = 1000 if "1ps" in re.sub(r"\s", "", text) else 1
    assert 9 <= (times[-1] - times[0]) / (10 * unit) <= 11
    view = (tmp_path / "a.gtkw").read_text()
    assert "copier_bench.dut.inverter.i[63:0]" in view
    assert "variable_add copier_bench.dut.inverter.o" in (tmp_path / "a.sucl").read_text()


def test_everything_as_fst(tmp_path):
    record("icarus", Waves(tmp_path / "a.fst"))
    assert (tmp_path / "a.fst").stat().st_size > 500
    with pytest.raises(ValueError, match=r"verilator writes \.vcd waveforms only"):
        record("verilator", Waves(tmp_path / "a.fst"))


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match=r"must end in .vcd or .fst, not a.txt"):
        Waves("a.txt")
    with pytest.raises(ValueError, match="0 <= first <= last, not 5, 4"):
        Waves("a.vcd", 5, 4)
    with pytest.raises(ValueError, match="copier has no instance nothing; below it are"):
        find_scope(emit(Copier(), "copier").verilog, "copier", "nothing")
