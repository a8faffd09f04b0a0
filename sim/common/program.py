"""Runs whole programs on a design's Top: a memory image in, the memory and the registers out.

The Top has ``clk``, ``rst``, an AXI4-Lite slave ``control``, an AXI4 master ``memory`` and ``irq``.
Its memory (`axi_memory.v`) is in the simulator, loaded and dumped through files, so that Python
does nothing per beat; many programs run one after the other in one simulator process.
"""

import dataclasses
import pickle
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from hw.emit import Emitted
from sim.common import cover
from sim.common.runner import BenchFailed, Build, build, run

MEMORY_V = Path(__file__).with_name("axi_memory.v")
MEMORY_BYTES = {"icarus": 1 << 18, "verilator": 1 << 26}    # of the memory, unless told otherwise
CHANNELS = ("ar", "r", "aw", "w", "b")
VIOLATIONS = ("none", "valid dropped before ready", "payload changed before ready",
              "burst is not INCR", "burst crosses 4 KiB", "size wider than the bus",
              "wlast at the wrong beat", "valid or ready is X", "burst begins inside a beat")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One program.

    Attributes
    ----------
    image : bytes or np.ndarray
        The memory from address 0; its end is the end of the memory (DECERR beyond), rounded up to
        a whole beat with zeros.
    writes : sequence of (str, int)
        Registers written before the start, in order. The start is one of them, the last.
    max_cycles : int
        After so many cycles from the start without ``irq`` the run ends, not finished.
    latency, outstanding, bandwidth
        Of the memory, see `axi_memory.v`; bandwidth is (beats, cycles).
    stalls : dict or None
        Channel ("ar", "r", "aw", "w", "b") -> probability, rounded to 1/256; and "seed".
    fault : (str, int) or None
        Accesses "read", "write" or "both" of the beat at this byte address get SLVERR.
    reset : bool
        Reset before this job; otherwise the design continues as the job before left it, and so
        do the memory's bandwidth and pseudo-random sequence.
    events : sequence of (int, str, int), (int, "read", tuple of str) or (int, "reset")
        After so many cycles from the start: (cycle, register, value) writes a register,
        (cycle, "read", registers) reads some, while the design runs on,
        (cycle, "reset") resets the design and the memory's queues and ends the run.
    mutant : int or None
        Of a netlist of mutants (`sim.common.mutation`), the one to run; what it breaks is a result
        of None, not a failure.
    """

    image: object
    writes: tuple
    max_cycles: int
    latency: int = 64
    outstanding: int = 8
    bandwidth: tuple = (1, 1)
    stalls: dict | None = None
    fault: tuple | None = None
    reset: bool = True
    events: tuple = ()
    mutant: int | None = None


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What a job left.

    ``memory`` is the image after the run; ``registers`` name -> value, read after the end;
    ``cycles`` from the edge that took the last of the writes to the edge that raised ``irq``;
    ``finished`` False if ``irq`` did not come; ``violation`` one of VIOLATIONS, "none" in a good
    run; ``read_beats`` and ``write_beats`` moved; ``written`` the first byte written and the one
    after the last (whole beats), or None; ``wall_s`` seconds of this job in the simulator;
    ``samples`` what the events read, each (cycle, value, ...).
    """

    memory: bytes
    registers: dict
    cycles: int
    finished: bool
    violation: str
    read_beats: int
    write_beats: int
    written: tuple | None
    wall_s: float
    samples: list = dataclasses.field(default_factory=list)


def build_program(emitted, *, simulator, memory_bytes=None, **options):
    """A `Build` of the Top `emitted` with its memory around it, for `run_programs`.

    `memory_bytes` is the most that an image may have; `options` are those of `build`.
    """
    bench = _bench(emitted, memory_bytes or MEMORY_BYTES[simulator])
    return build(bench, simulator=simulator, sources=(MEMORY_V,), **options)


def run_program(build, image, *, desc_addr, desc_count, max_cycles, waves=None, **options):
    """Runs one program through the shell's registers; see `Job` for `options`.

    Raises BenchFailed if it does not finish or breaks a rule of AXI.
    """
    job = Job(image=image, writes=start_writes(desc_addr, desc_count), max_cycles=max_cycles,
              **options)
    return run_programs(build, [job], waves=waves)[0]


def start_writes(desc_addr, desc_count, start=True):
    """The register writes that start the shell on a descriptor list."""
    writes = (("DESC_ADDR_LO", desc_addr & 0xffffffff), ("DESC_ADDR_HI", desc_addr >> 32),
              ("DESC_COUNT", desc_count))
    return (*writes, ("CONTROL", 1)) if start else writes


def wide(registers, name):
    """A value of two registers."""
    return registers[f"{name}_LO"] | registers[f"{name}_HI"] << 32


def run_programs(build: Build, jobs, *, seed=1, waves=None, check=True):
    """Runs `jobs` in one simulator process; a list of RunResult.

    With `check`, raises BenchFailed if a job does not finish or breaks a rule of AXI.
    """
    data_bits, depth = _memory_size(build)
    beat = data_bits // 8
    images = [_image(job.image, beat) for job in jobs]
    for image in images:
        if len(image) > depth * beat:
            raise ValueError(f"the image has {len(image)} bytes, but the memory was built for "
                             f"{depth * beat}: raise memory_bytes")
    # Not as `Job`s: the simulator's Python would import all that this file needs, for seconds.
    plain = [SimpleNamespace(**{**vars(job), "image": len(image)})
             for job, image in zip(jobs, images, strict=True)]
    results = []

    def before(folder):
        for n, image in enumerate(images):
            # $fread fills a word from its most significant byte.
            words = np.frombuffer(image, np.uint8).reshape(-1, beat)[:, ::-1]
            (folder / f"job_{n}.bin").write_bytes(words.tobytes())

    def after(folder):
        cover.hit(build.top.removesuffix("_bench"), cover.said((folder / "log.txt").read_text()))
        outcomes = pickle.loads((folder / "outcomes.pickle").read_bytes())
        for n, (image, outcome) in enumerate(zip(images, outcomes, strict=True)):
            try:
                results.append(_result(image, beat, outcome, folder / f"job_{n}.hex"))
            except BenchFailed:
                if plain[n].mutant is None:
                    raise
                results.append(None)

    config = {"jobs": plain, "beat": beat, "registers": _registers(build)}
    run(build, "sim.common.bench_program", config=config, seed=seed, waves=waves,
        env={"COCOTB_REWRITE_ASSERTION_FILES": ""}, before=before, after=after)
    if check:
        for n, result in enumerate(results):
            _check(build, n, jobs[n], result)
    return results


def _check(build, n, job, result):
    if result.violation != "none":
        raise BenchFailed(f"{build.top} ({build.simulator}), job {n}: {result.violation}")
    if not result.finished and not any(event[1] == "reset" for event in job.events):
        raise BenchFailed(f"{build.top} ({build.simulator}), job {n}: no irq within "
                          f"{job.max_cycles} cycles; registers {result.registers}")


def _image(image, beat):
    raw = image.tobytes() if isinstance(image, np.ndarray) else bytes(image)
    return raw + bytes(-len(raw) % beat)


def _result(image, beat, outcome, dump):
    if outcome is None:
        return None
    first, last = outcome.pop("first_written"), outcome.pop("last_written")
    memory, written = image, None
    if first <= last:
        written = (first * beat, (last + 1) * beat)
        words = re.sub(r"//.*|@[0-9a-fA-F]+", "", dump.read_text()).split()
        if len(words) != last - first + 1:
            raise BenchFailed(f"{dump.name}: {len(words)} words instead of {last - first + 1}")
        try:
            raw = np.frombuffer(bytes.fromhex("".join(words)), np.uint8)
        except ValueError:
            raise BenchFailed(f"{dump.name}: the design wrote X") from None
        memory = image[:written[0]] + raw.reshape(-1, beat)[:, ::-1].tobytes() + image[written[1]:]
    outcome["violation"] = VIOLATIONS[outcome["violation"]]
    return RunResult(memory=memory, written=written, **outcome)


def _memory_size(build):
    return build.manifest["bench"]["data_bits"], build.manifest["bench"]["depth"]


def _registers(build):
    return {r["name"]: (r["offset"], r["access"]) for r in build.manifest["registers"]}


# -- the module around the Top

_CONFIG = {"latency": 16, "outstanding": 8, "rate_beats": 16, "rate_cycles": 16, "size": 64,
           "fault_addr": 64, "fault_read": 1, "fault_write": 1, "seed": 32, "job": 32, "load": 1,
           "dump": 1, "dump_first": 32, "dump_last": 32, **{f"stall_{c}": 8 for c in CHANNELS}}
_STATUS = {"violation": 8, "read_beats": 32, "write_beats": 32, "first_written": 32,
           "last_written": 32}
_PAYLOAD = {"aw": ("id", "addr", "len", "size", "burst"), "w": ("data", "strb", "last"),
            "b": ("id", "resp"), "ar": ("id", "addr", "len", "size", "burst"),
            "r": ("id", "data", "resp", "last")}


def _bench(emitted, memory_bytes):
    """`emitted` and the module ``<name>_bench``: the Top, its memory, and ports for the host."""
    widths = {p["name"]: p["width"] for p in emitted.manifest["ports"]}
    for port in ("clk", "rst", "irq", "control__aw__valid", "memory__aw__valid"):
        if port not in widths:
            raise ValueError(f"{emitted.name} has no port {port}: it is no accelerator's Top")
    outer = [p for p in emitted.manifest["ports"] if not p["name"].startswith("memory__")]
    ports = [*outer, *_as_ports(_CONFIG, "in"), *_as_ports(_STATUS, "out"),
             *_as_ports({"limit": 64}, "in"), *_as_ports({"stop": 1, "count": 64}, "out")]
    data_bits = widths["memory__w__payload__data"]
    name = f"{emitted.name}_bench"
    depth = memory_bytes * 8 // data_bits
    body = [*(f"wire {_range(w)}{n};" for n, w in widths.items() if n.startswith("memory__")),
            _instance(emitted.name, "dut", {n: n for n in widths}),
            _memory(widths, data_bits, depth), _STOP]
    declared = ",\n  ".join(f"{p['dir']}put {_range(p['width'])}{p['name']}" for p in ports)
    text = f"\nmodule {name}(\n  {declared});\n" + "\n".join(body) + "\nendmodule\n"
    manifest = {**emitted.manifest, "ports": ports, "design": name,
                "running": "(limit != 0)", "bench": {"data_bits": data_bits, "depth": depth}}
    return Emitted(name, emitted.verilog + text, manifest)


# One signal for the host to wait for: irq, a broken rule, or the limit of cycles; `count` stands
# still from the first two on. An irq left by the job before (stale) counts once it has been low.
_STOP = """reg [63:0] counted;
reg stale;
wire over = irq && !stale || violation != 0;
assign count = counted;
always @(posedge clk)
  if (limit == 0) begin
    counted <= 0;
    stale <= irq;
  end else begin
    if (!over) counted <= counted + 1;
    stale <= irq && stale;
  end
assign stop = limit != 0 && (over || counted >= limit);"""


def _memory(widths, data_bits, depth):
    pins = {n: n for n in ("clk", "rst", *_CONFIG, *_STATUS)}
    for channel, fields in _PAYLOAD.items():
        for field in ("valid", "ready"):
            pins[f"{channel}_{field}"] = f"memory__{channel}__{field}"
        for field in fields:
            wire = f"memory__{channel}__payload__{field}"
            if wire in widths:
                pins[f"{channel}_{field}"] = wire
    parameters = {"DATA_BITS": data_bits, "DEPTH": depth,
                  "ADDR_BITS": widths["memory__ar__payload__addr"],
                  "ID_BITS": widths.get("memory__ar__payload__id", 1)}
    return _instance("axi_memory", "memory", pins, parameters)


def _instance(module, name, pins, parameters=None):
    def connected(names):
        return "\n  " + ",\n  ".join(f".{a}({b})" for a, b in names.items())
    values = f"#({connected(parameters)}) " if parameters else ""
    return f"{module} {values}{name} ({connected(pins)});"


def _as_ports(widths, direction):
    return [{"name": n, "dir": direction, "width": w} for n, w in widths.items()]


def _range(width):
    return f"[{width - 1}:0] " if width > 1 else ""
