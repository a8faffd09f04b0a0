# Ref: Yang et al., "S2 Engine", Fig. 4: what fills FB and WB. Formats: hw/s2engine/README.md,
# "Memory".
from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import command_layout
from hw.common.axi.shell import BEATS_BITS
from hw.common.stream.fifo import FIFO

from .buffer import bank_line_layout
from .config import LINE_HEADER_BITS
from .edge import bias_layout
from .layouts import descriptor_layout, feature_layout, weight_layout

RUNS = 4        # that wait for their lines


class RunKind(enum.Enum, shape=2):
    """What a run's lines hold."""

    BIAS = 0
    WEIGHT = 1
    FEATURE = 2


def run_layout(cfg):
    """A DMA command and where its lines go. Features: group n goes to row ``first`` + min(n,
    ``rows`` - 1); ``final``: the last group of each of these rows ends its section."""
    return data.StructLayout({
        "address": cfg.addr_bits,
        "lines": 32,
        "kind": RunKind,
        "first": range(cfg.rows),
        "rows": range(cfg.rows + 1),
        "final": 1,
    })


class Walker(wiring.Component):
    """The runs of a pass, in the loader's order (hw/s2engine/README.md, "Loader order").

    A run is offered, and when it is taken the next one is made ready: one every second cycle.

    Parameters
    ----------
    cfg : StationaryConfig

    Members
    -------
    layer : In(descriptor_layout(cfg))
        Constant during a pass.
    start : In(1)
        A pulse.
    o : Out(stream.Signature(run_layout(cfg)))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "layer": In(descriptor_layout(cfg)),
            "start": In(1),
            "o": Out(stream.Signature(run_layout(cfg))),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, layer, run = self.cfg, self.layer, self.o.p
        taken = self.o.valid & self.o.ready
        line_bytes = cfg.line_bits // 8

        # Loops, the innermost last: tile, load, channel group, kernel row, chain, residue.
        tile, load = Signal(24), Signal(16)
        channel_group, kernel_row, residue = Signal(16), Signal(8), Signal(8)
        at_group, at_row, at_residue = Signal(32), Signal(32), Signal(32)     # their lines
        # Where the tile and the chain begin: row, pixel of the output line, its lines.
        tile_x, tile_y = Signal(24), Signal(32)
        x, y, row = Signal(24), Signal(32), Signal(range(cfg.rows + 1))
        pixels, left, line_left, chain = Signal(9), Signal(9), Signal(24), Signal(9)
        m.d.comb += [
            pixels.eq(layer.tile_pixels + (tile < layer.tile_more)),
            left.eq(pixels - row), line_left.eq(layer.line_pixels - x),
            chain.eq(Mux(~layer.ce, 1, Mux(line_left < left, line_left, left))),
        ]
        step_y = Signal(32)         # lines from one output line's first input row to the next one's
        m.d.sync += step_y.eq(layer.stride * layer.row_lines)

        # Groups of a chain in a residue: chain + K - 1, K its kernel columns.
        columns, behind, counted = Signal(8), Signal(9), Signal()
        m.d.comb += counted.eq(behind + layer.stride >= layer.kernel_cols)
        with m.If(self.start):
            m.d.sync += [columns.eq(1), behind.eq(0)]
        with m.Elif(~counted):
            m.d.sync += [columns.eq(columns + 1), behind.eq(behind + layer.stride)]
        groups = Signal(16)
        m.d.comb += groups.eq(chain + columns - 1 - (residue + behind >= layer.kernel_cols))

        last_residue, last_chain, last_row, last_group, last_load, last_tile = ends = [
            Signal(name=f"last_{n}") for n in ("residue", "chain", "row", "group", "load", "tile")]
        m.d.comb += [
            last_residue.eq((residue + 1 == layer.stride) | (residue + 1 == layer.kernel_cols)),
            last_chain.eq(row + chain == pixels),
            last_row.eq(kernel_row == layer.kernel_rows - 1),
            last_group.eq(channel_group == layer.channel_groups - 1),
            last_load.eq(load == layer.f_loads - 1),
            last_tile.eq(tile == layer.tiles - 1),
        ]
        features = Signal(run.shape())
        place = Signal(32)
        m.d.comb += [
            place.eq(at_group + y + at_row + at_residue + Mux(layer.slots == 2, x << 1, x)),
            features.address.eq(layer.feature_addr + place * line_bytes),
            features.lines.eq(Mux(layer.slots == 2, groups << 1, groups)),
            features.kind.eq(RunKind.FEATURE), features.first.eq(row), features.rows.eq(chain),
            features.final.eq(last_residue & last_row & last_group),
        ]

        def plain(kind, address, lines):
            return [run.address.eq(address), run.lines.eq(lines), run.kind.eq(kind)]

        with m.If(taken):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [tile.eq(0), load.eq(0), channel_group.eq(0), kernel_row.eq(0),
                             residue.eq(0), row.eq(0), x.eq(0), y.eq(0), tile_x.eq(0),
                             tile_y.eq(0), at_group.eq(0), at_row.eq(0), at_residue.eq(0)]
                m.d.sync += [self.o.valid.eq(1),
                             *plain(RunKind.BIAS, layer.bias_addr, layer.bias_lines)]
                m.next = "BIAS"
            with m.State("BIAS"), m.If(taken):
                m.next = "FEATURES"
                with m.If(~layer.w_stream):
                    m.next = "WEIGHTS"
            with m.State("WEIGHTS"), m.If(~self.o.valid):
                m.d.sync += [self.o.valid.eq(1),
                             *plain(RunKind.WEIGHT, layer.weight_addr, layer.weight_lines)]
                m.next = "SENT"
            with m.State("SENT"), m.If(taken):
                m.next = "FEATURES"
                with m.If(layer.w_stream & (tile == layer.tiles)):
                    m.next = "IDLE"
            with m.State("FEATURES"), m.If(~self.o.valid & counted):
                m.d.sync += [self.o.valid.eq(1), run.eq(features)]
                m.next = "FEATURES"
                self._advance(m, ends, [
                    (residue, at_residue, layer.residue_lines),
                    (kernel_row, at_row, layer.row_lines),
                    (channel_group, at_group, layer.group_lines)],
                    (row, x, y, chain, line_left, step_y), (tile_x, tile_y), (load, tile))
        return m

    def _advance(self, m, ends, loops, chain_state, tile_state, outer):
        """The counters of the loops, after a run of features."""
        last_residue, last_chain, last_row, last_group, last_load, last_tile = ends
        (residue, at_residue, residue_lines), *upper = loops
        row, x, y, chain, line_left, step_y = chain_state
        tile_x, tile_y = tile_state
        load, tile = outer
        wraps = Signal()
        m.d.comb += wraps.eq(chain == line_left)
        next_x, next_y = Mux(wraps, 0, x + chain), Mux(wraps, y + step_y, y)
        m.d.sync += [residue.eq(residue + 1), at_residue.eq(at_residue + residue_lines)]
        with m.If(last_residue):
            m.d.sync += [residue.eq(0), at_residue.eq(0), row.eq(row + chain), x.eq(next_x),
                         y.eq(next_y)]
            with m.If(last_chain):
                m.d.sync += [row.eq(0), x.eq(tile_x), y.eq(tile_y)]
                inner = Const(1)
                for (counter, at, lines), last in zip(upper, (last_row, last_group), strict=True):
                    with m.If(inner):
                        m.d.sync += [counter.eq(Mux(last, 0, counter + 1)),
                                     at.eq(Mux(last, 0, at + lines))]
                    inner = inner & last
                with m.If(inner):
                    m.d.sync += load.eq(load + 1)
                    with m.If(last_load):
                        m.d.sync += [load.eq(0), tile.eq(tile + 1), x.eq(next_x), y.eq(next_y),
                                     tile_x.eq(next_x), tile_y.eq(next_y)]
                        with m.If(self.layer.w_stream):
                            m.next = "WEIGHTS"
                        with m.Elif(last_tile):
                            m.next = "IDLE"


class Router(wiring.Component):
    """Hands lines to the edges and banks: those of the oldest run where its kind says.

    A line is taken in the cycle in which its bank takes it; one of biases in as many cycles as it
    has biases, one per cycle, from the cycle in which it is offered on. The second line of a group
    that ended in the first one is dropped.

    Parameters
    ----------
    cfg : StationaryConfig

    Members
    -------
    layer : In(descriptor_layout(cfg))
    run : In(stream.Signature(run_layout(cfg)))
        Taken with its last line.
    line : In(stream.Signature(line_content_bits))
    w, f : Out, by column and by row
        Lines for the banks.
    bias : Out(bias_layout(cfg))
    error : Out(1)
        A line of weights for a column that is not there, or without tokens.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        self.w_line = bank_line_layout(weight_layout(cfg), cfg.weights_per_line)
        self.f_line = bank_line_layout(feature_layout(cfg), cfg.group)
        super().__init__({
            "layer": In(descriptor_layout(cfg)),
            "run": In(stream.Signature(run_layout(cfg))),
            "line": In(stream.Signature(cfg.line_content_bits)),
            "w": Out(stream.Signature(self.w_line)).array(cfg.cols),
            "f": Out(stream.Signature(self.f_line)).array(cfg.rows),
            "bias": Out(bias_layout(cfg)),
            "error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        run, line = self.run.p, self.line
        there, count = Signal(), Signal(32)
        m.d.comb += there.eq(self.run.valid & line.valid)
        with m.Switch(run.kind):
            with m.Case(RunKind.BIAS):
                self._biases(m, there)
            with m.Case(RunKind.WEIGHT):
                self._weights(m, there)
            with m.Case(RunKind.FEATURE):
                self._features(m, there)
        taken = line.valid & line.ready
        m.d.comb += self.run.ready.eq(taken & (count == run.lines - 1))
        with m.If(taken):
            m.d.sync += count.eq(Mux(self.run.ready, 0, count + 1))
        return m

    def _biases(self, m, there):
        cfg, line = self.cfg, self.line
        index, kernel = Signal(range(cfg.biases_per_line)), Signal(range(cfg.max_kernels + 1))
        last, end = Signal(), Signal()
        values = data.ArrayLayout(cfg.acc_bits, cfg.biases_per_line)
        content = data.View(values, line.payload[:values.size])
        m.d.comb += [
            last.eq(kernel == self.layer.kernels - 1),
            end.eq((index == cfg.biases_per_line - 1) | last),
            self.bias.valid.eq(there), self.bias.kernel.eq(kernel),
            self.bias["value"].eq(content[index].as_signed()),
            line.ready.eq(there & end),
        ]
        with m.If(there):
            m.d.sync += [index.eq(Mux(end, 0, index + 1)), kernel.eq(Mux(last, 0, kernel + 1))]

    def _weights(self, m, there):
        cfg, line = self.cfg, self.line
        column, count, end = line.payload[:8], line.payload[8:15], line.payload[15]
        tokens = line.payload[LINE_HEADER_BITS:][:cfg.weights_per_line * cfg.weight_bits]
        good = Signal()
        m.d.comb += [good.eq((column < cfg.cols) & (count < cfg.weights_per_line)),
                     self.error.eq(there & ~good)]
        for c, bank in enumerate(self.w):
            mine = Signal(name=f"w_mine_{c}")
            m.d.comb += [
                mine.eq(there & good & (column == c)),
                Value.cast(bank.p.tokens).eq(tokens), bank.p.last.eq(count), bank.p.end.eq(end),
                bank.valid.eq(mine),
            ]
            with m.If(mine):
                m.d.comb += line.ready.eq(bank.ready)

    def _features(self, m, there):
        cfg, line, run = self.cfg, self.line, self.run.p
        width, group = cfg.feature_bits, cfg.group
        eog = Cat(line.payload[n * width + 8 + cfg.offset_bits] for n in range(group))
        row, second, whole = Signal(range(cfg.rows)), Signal(), Signal()    # of the group
        at, two, close, last, ended = Signal(32), Signal(), Signal(), Signal(range(group)), Signal()
        first_eog = Signal(range(group))
        for n in reversed(range(group)):
            with m.If(eog[n]):
                m.d.comb += first_eog.eq(n)
        behind = Signal(range(cfg.rows + 1))        # rows of the run before this one
        m.d.comb += [
            two.eq(self.layer.slots == 2),
            ended.eq(eog.any()),
            last.eq(Mux(ended, first_eog, group - 1)),
            close.eq(~two | second | ended),
            row.eq(run.first + behind),
        ]
        final = Signal()        # the last group of its row in this run
        groups = Signal(32)
        m.d.comb += [
            groups.eq(Mux(two, run.lines >> 1, run.lines)),
            final.eq((behind != run.rows - 1) | (at == groups - 1)),
        ]
        for r, bank in enumerate(self.f):
            mine = Signal(name=f"f_mine_{r}")
            m.d.comb += [
                mine.eq(there & (row == r) & ~whole),
                Value.cast(bank.p.tokens).eq(line.payload[:group * width]), bank.p.last.eq(last),
                bank.p.close.eq(close), bank.p.end.eq(close & final & run.final),
                bank.valid.eq(mine),
            ]
            with m.If(mine):
                m.d.comb += line.ready.eq(bank.ready)
        with m.If(there & whole):           # what stands behind the end of a group
            m.d.comb += line.ready.eq(1)
        with m.If(line.ready):
            m.d.sync += [second.eq(two & ~second), whole.eq(two & ~second & ended)]
            with m.If(~two | second):
                m.d.sync += at.eq(at + 1)
                with m.If(behind != run.rows - 1):
                    m.d.sync += behind.eq(behind + 1)
                with m.If(at == groups - 1):
                    m.d.sync += [at.eq(0), behind.eq(0)]


class Loader(wiring.Component):
    """Walker, DMA commands and router.

    Members: those of `Router` but ``run``; ``start``, ``command``.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        router = Router(cfg)
        router._MustUse__used = True
        members = {name: member for name, member in router.signature.members.items()
                   if name != "run"}
        super().__init__({**members, "start": In(1), "command": Out(stream.Signature(
            command_layout(cfg.addr_bits, BEATS_BITS)))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.walker = walker = Walker(self.cfg)
        m.submodules.router = router = Router(self.cfg)
        m.submodules.runs = runs = FIFO(run_layout(self.cfg), RUNS)
        # A run goes to the DMA and into the queue in the same cycle.
        m.d.comb += [
            walker.layer.eq(self.layer), walker.start.eq(self.start),
            router.layer.eq(self.layer),
            runs.i.payload.eq(walker.o.payload),
            runs.i.valid.eq(walker.o.valid & self.command.ready),
            self.command.valid.eq(walker.o.valid & runs.i.ready),
            self.command.p.address.eq(walker.o.p.address),
            self.command.p.beats.eq(walker.o.p.lines * self.cfg.line_beats),
            walker.o.ready.eq(self.command.ready & runs.i.ready),
            self.bias.eq(router.bias), self.error.eq(router.error),
        ]
        wiring.connect(m, runs.o, router.run)
        wiring.connect(m, wiring.flipped(self.line), router.line)
        for inside, outside in ((router.w, self.w), (router.f, self.f)):
            for n in range(len(inside)):
                wiring.connect(m, inside[n], wiring.flipped(outside[n]))
        return m
