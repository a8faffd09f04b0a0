"""A pass on the core (CE array and PE array) in RTL: sums, cycles, causes, reads.

The streams come out of files and the sums go into files, inside the simulator: nothing stalls, and
Python does nothing per cycle. Buffers and memory are left out, as in golden's ``array_cycles``.
"""
from dataclasses import dataclass

import numpy as np

from golden.formats import ecoo
from golden.s2engine import ce
from golden.s2engine.tokens import Token, pack_token, wrap
from hw.emit import Emitted, emit
from hw.s2engine.core import Core
from sim.common.runner import build, run

CAUSES = 6

_SOURCE = """
  integer {n}_file, {n}_code;
  reg {n}_valid = 0;
  reg [{top}:0] {n}_word = 0, {n}_next;
  wire {n}_ready;
  initial begin
    {n}_file = $fopen("{n}.hex", "r");
    if ({n}_file != 0) begin
      {n}_code = $fscanf({n}_file, "%h", {n}_next);
      {n}_valid = {n}_code == 1;
      {n}_word = {n}_next;
    end
  end
  always @(posedge clk)
    if (run && {n}_valid && {n}_ready) begin
      {n}_code = $fscanf({n}_file, "%h", {n}_next);
      {n}_valid <= {n}_code == 1;
      {n}_word <= {n}_next;
    end
"""

_SINK = """
  integer {n}_file;
  reg [31:0] {n}_count = 0;
  wire {n}_valid;
  wire [{top}:0] {n}_word;
  initial {n}_file = $fopen("{n}.out", "w");
  always @(posedge clk)
    if (run && {n}_valid) begin
      $fwrite({n}_file, "%0d %h\\n", cycle, {n}_word);
      $fflush({n}_file);
      {n}_count <= {n}_count + 1;
    end
"""


@dataclass(frozen=True)
class PassRun:
    """What a pass did: sums [rows, results] with their cycles, PE-cycles by cause, groups read."""

    sums: np.ndarray
    when: np.ndarray
    causes: list[int]
    reads: int

    @property
    def cycles(self):
        """First token into the array to last result out of it."""
        return int(self.when.max()) + 1


def build_core(config, simulator, **options):
    """A `Build` of the core with its files around it."""
    emitted = emit(Core(config), "Core")
    ports = {p["name"]: p for p in emitted.manifest["ports"]}
    streams = sorted({n.rsplit("__", 1)[0] for n in ports if n.endswith("__payload")})
    bits = config.pes.bit_length()
    body, pins, counts = [], {"clk": "clk", "rst": "rst", "run": "run", "causes": "causes",
                              "reads": "reads"}, []
    for name in streams:
        stem, top = name.replace("__", "_"), ports[f"{name}__payload"]["width"] - 1
        source = ports[f"{name}__payload"]["dir"] == "in"
        body.append((_SOURCE if source else _SINK).format(n=stem, top=top))
        pins |= {f"{name}__valid": f"{stem}_valid" + (" && run" if source else ""),
                 f"{name}__payload": f"{stem}_word",
                 f"{name}__ready": f"{stem}_ready" if source else "1'b1"}
        counts += [] if source else [f"{stem}_count"]
    # Causes are two cycles late, reads one.
    done = " && ".join(f"{count} >= limit" for count in counts)
    sums = "\n".join(f"      total_{k} <= total_{k} + causes[{(k + 1) * bits - 1}:{k * bits}];"
                     for k in range(CAUSES))
    connected = ",\n    ".join(f".{pin}({wire})" for pin, wire in pins.items())
    outputs = ",\n  ".join(f"output reg [63:0] total_{k}" for k in range(CAUSES))
    text = f"""
module core_bench(input clk, input rst, input run, input [31:0] limit, output done,
  output reg [63:0] groups,
  {outputs});
  reg [31:0] cycle = 0;
  reg [2:0] past = 0;
  wire [{bits * CAUSES - 1}:0] causes;
  wire [{ports["reads"]["width"] - 1}:0] reads;
{"".join(body)}
  wire over = {done};
  assign done = over && past == 0;
  initial begin
    groups = 0;
    {" ".join(f"total_{k} = 0;" for k in range(CAUSES))}
  end
  always @(posedge clk) begin
    cycle <= run ? cycle + 1 : 0;
    past <= {{past[1:0], run && !over}};
    if (past[0]) groups <= groups + reads;
    if (past[1]) begin
{sums}
    end
  end
  Core core ({connected});
endmodule
"""
    named = [("clk", "in", 1), ("rst", "in", 1), ("run", "in", 1), ("limit", "in", 32),
             ("done", "out", 1), ("groups", "out", 64),
             *((f"total_{k}", "out", 64) for k in range(CAUSES))]
    manifest = {**emitted.manifest, "ports": [
        {"name": n, "dir": d, "width": w} for n, d, w in named]}
    bench = Emitted("core_bench", emitted.verilog + text, manifest)
    if simulator == "verilator":
        options = {"hier": ("PE",), "opt": 1, **options}
    return build(bench, simulator=simulator, **options)


def streams(plan, reuse=True):
    """File -> words, of a pass, and how many sums each row gives."""
    config, shape = plan.config, plan.stage.shape
    kernels = plan.stage.kernels(config.group)[plan.first:plan.last]
    features = plan.stage.features(plan.image, plan.part, config.group)
    many = features.shape[0]
    order = ce.order(many, shape.r, shape.s, shape.stride)
    weights, places = _packed(kernels, config), _packed(features, config)
    blank = [pack_token(Token(0, 0, eog=1), config, 0)] * len(order)
    eok = 1 << config.feature_bits
    files = {name: [] for name in (*(f"w_{c}" for c in range(config.cols)),
                                   *(f"fb_{r}" for r in range(config.rows)),
                                   *(f"command_{r}" for r in range(config.rows)))}
    for first, pixels in plan.pixel_tiles:
        places_xy = [divmod(first + i, shape.wo) for i in range(pixels)]
        starts = [i for i, (_, x) in enumerate(places_xy) if i == 0 or x == 0]
        chains = [b - a for a, b in zip(starts, [*starts[1:], pixels], strict=True)]
        commands = ce.commands(chains, config.rows, order, shape.stride, shape.s, reuse)
        for kernel, count in plan.kernel_tiles:
            for c in range(config.cols):
                words = blank if c >= count else [
                    word for n in range(len(order)) for word in weights[kernel + c, n]]
                files[f"w_{c}"] += [*words[:-1], words[-1] | eok]
            for r, row in enumerate(commands):
                files[f"command_{r}"] += [source | keep << 2 for source, keep in row]
                for (source, _), group in zip(row, order, strict=True):
                    if source == ce.FB:
                        y, x = places_xy[r]
                        files[f"fb_{r}"] += places[group.channel_group,
                                                   y * shape.stride + group.kernel_row,
                                                   x * shape.stride + group.kernel_col]
    results = len(plan.pixel_tiles) * len(plan.kernel_tiles) * config.cols
    return files, results


def _packed(groups, config):
    """Index of a group -> its tokens as words."""
    flat = groups.reshape(-1, groups.shape[-1])
    tokens = ecoo.compress(flat)
    words = ecoo.pack(tokens, config.offset_bits, config.mixed).tolist()
    ends = np.searchsorted(tokens.group, np.arange(len(flat) + 1))
    return {index: words[ends[n]:ends[n + 1]]
            for n, index in enumerate(np.ndindex(groups.shape[:-1]))}


def sums(plan):
    """What the rows must give, from the dense operands: int64 [rows, results]."""
    config, shape = plan.config, plan.stage.shape
    kernels = plan.stage.kernels(config.group)[plan.first:plan.last].astype(np.float64)
    features = plan.stage.features(plan.image, plan.part, config.group).astype(np.float64)
    order = ce.order(features.shape[0], shape.r, shape.s, shape.stride)
    out = []
    for first, pixels in plan.pixel_tiles:
        flat = np.zeros((config.rows, kernels.shape[1], config.group))
        for i in range(pixels):
            y, x = divmod(first + i, shape.wo)
            for n, g in enumerate(order):
                flat[i, n] = features[g.channel_group, y * shape.stride + g.kernel_row,
                                      x * shape.stride + g.kernel_col]
        every = flat.reshape(config.rows, -1) @ kernels.reshape(len(kernels), -1).T
        for kernel, count in plan.kernel_tiles:
            tile = np.zeros((config.rows, config.cols))
            tile[:, :count] = every[:, kernel:kernel + count]
            out.append(tile)
    return np.concatenate(out, axis=1).astype(np.int64)


def run_pass(built, plan, reuse=True):
    """Runs a pass on a `build_core` of its configuration."""
    config = plan.config
    files, results = streams(plan, reuse)
    found = {}

    def before(folder):
        for name, words in files.items():
            (folder / f"{name}.hex").write_text("\n".join(f"{word:x}" for word in words))

    def after(folder):
        rows = [[line.split() for line in (folder / f"r_{r}.out").read_text().splitlines()]
                for r in range(config.rows)]
        value = [[wrap(int(word, 16), config.acc_bits) for _, word in row] for row in rows]
        found["sums"] = np.array(value, np.int64)
        found["when"] = np.array([[int(cycle) for cycle, _ in row] for row in rows])
        numbers = (folder / "counts.txt").read_text().split()
        found["reads"], *found["causes"] = map(int, numbers)

    run(built, "sim.s2engine.bench_pass", config={"limit": results}, before=before, after=after)
    return PassRun(**found)
