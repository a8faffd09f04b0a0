# Ref: Yang et al., "S2 Engine", Fig. 4: the complete accelerator, but its bus and its array.
from enum import IntEnum

from amaranth import *
from amaranth.lib import wiring

from hw.common.axi.errors import FIRST_DESIGN_CODE, ErrorCode
from hw.common.axi.lines import LineReader, LineWriter
from hw.common.axi.shell import COUNTER_BITS, engine_members
from hw.common.numeric import adder_tree
from hw.common.shared import Shared

from .buffer import Bank, FlowError
from .commands import COMMAND_FIELDS, Commands
from .edge import EDGE_FIELDS, Edge
from .layouts import Cause, descriptor_layout
from .loader import Loader
from .sequencer import Sequencer
from .store import Store

COLUMN = 128        # in ERROR_INFO: added to a column's number


class S2Error(IntEnum):
    """S² Engine's own error codes; `ErrorCode` has the common ones."""

    ORDER = FIRST_DESIGN_CODE       # info of these three: row, or COLUMN + column
    GROUP = FIRST_DESIGN_CODE + 1
    KERNEL = FIRST_DESIGN_CODE + 2
    LINE = FIRST_DESIGN_CODE + 3
    SHAPE = FIRST_DESIGN_CODE + 4


CAUSES = ("idle", *(cause.name.lower() for cause in Cause))     # PE-cycles; idle: between passes
READS = ("fb_groups", "fb_tokens", "wb_tokens")                 # out of FB and WB
COUNTERS = (*CAUSES, *READS)


class Engine(wiring.Component):
    """The machine between its descriptors and its DMA: one pass per descriptor.

    Parameters
    ----------
    cfg : StationaryConfig
    core : callable
        From `cfg` to the array, a component with `core_members`.

    Members
    -------
    As `hw.common.axi.shell.engine_members` says.
    """

    def __init__(self, cfg, core):
        self.cfg, self.core = cfg, core
        super().__init__(engine_members(descriptor_layout(cfg), cfg.addr_bits, cfg.memory_bits,
                                        len(COUNTERS)))

    def elaborate(self, platform):
        m = Module()
        cfg, d = self.cfg, self.descriptor.p
        m.submodules.sequencer = sequencer = Sequencer(cfg)
        m.submodules.loader = loader = Loader(cfg)
        m.submodules.core = core = self.core(cfg)
        m.submodules.store = store = Store(cfg)
        fb = [Shared(Bank, cfg, False) for _ in range(cfg.rows)]
        wb = [Shared(Bank, cfg, True) for _ in range(cfg.cols)]
        edges = [Shared(Edge, cfg) for _ in range(cfg.rows)]
        self._lines(m, loader, store)
        self._feed(m, loader, core, fb, wb, sequencer.start)
        self._finish(m, loader, core, edges, store, sequencer)
        m.d.comb += [
            sequencer.descriptor.eq(d), sequencer.valid.eq(self.descriptor.valid),
            self.descriptor.ready.eq(sequencer.finished), core.run.eq(sequencer.run),
            sequencer.empty.eq(Cat(bank.empty for bank in (*fb, *wb)).all()),
            self.progress.eq((core.causes[Cause.MULTIPLY.value] != 0)
                             | (core.causes[Cause.SELECT.value] != 0)),
        ]
        self._count(m, core, fb, wb, sequencer.run)
        self._errors(m, loader, fb, wb, sequencer, store, core)
        return m

    def _lines(self, m, loader, store):
        """Lines from memory to the loader, and from the store to memory."""
        cfg = self.cfg
        m.submodules.lines = lines = self.lines = LineReader(cfg.line_content_bits,
                                                             cfg.memory_bits)
        m.submodules.out_lines = out = LineWriter(cfg.line_content_bits, cfg.memory_bits)
        wiring.connect(m, wiring.flipped(self.read_data), lines.i)
        wiring.connect(m, out.o, wiring.flipped(self.write_data))
        wiring.connect(m, loader.command, wiring.flipped(self.read_command))
        wiring.connect(m, store.command, wiring.flipped(self.write_command))
        m.d.comb += [
            loader.line.valid.eq(lines.o.valid), loader.line.payload.eq(lines.o.p.content),
            lines.o.ready.eq(loader.line.ready),
            out.i.valid.eq(store.line.valid), out.i.p.content.eq(store.line.p.tokens),
            out.i.p.last.eq(store.line.p.last), store.line.ready.eq(out.i.ready),
            store.written.eq(self.write_done),
        ]

    def _feed(self, m, loader, core, fb, wb, start):
        """Loader, banks, CEs and array."""
        d = self.descriptor.p
        m.submodules.commands = commands = Commands(self.cfg)
        m.d.comb += [loader.layer.eq(d), loader.start.eq(start), commands.start.eq(start),
                     *(commands.layer[name].eq(d[name]) for name in COMMAND_FIELDS)]
        for r, bank in enumerate(fb):
            m.submodules[f"fb_{r}"] = bank
            wiring.connect(m, loader.f[r], bank.i)
            wiring.connect(m, bank.o, core.fb[r])
            wiring.connect(m, commands.o[r], core.command[r])
            m.d.comb += bank.replays.eq(d.f_replays)
        for c, bank in enumerate(wb):
            m.submodules[f"wb_{c}"] = bank
            wiring.connect(m, loader.w[c], bank.i)
            wiring.connect(m, bank.o, core.w[c])
            m.d.comb += [bank.replays.eq(d.w_replays), bank.groups.eq(d.groups),
                         bank.kernels.eq(d.kernel_tiles)]

    def _finish(self, m, loader, core, edges, store, sequencer):
        """Edges and store."""
        d = self.descriptor.p
        for r, edge in enumerate(edges):
            m.submodules[f"edge_{r}"] = edge
            wiring.connect(m, core.r[r], edge.i)
            wiring.connect(m, edge.o, store.i[r])
            m.d.comb += [edge.row.eq(r), edge.start.eq(sequencer.start), edge.bias.eq(loader.bias),
                         *(edge.layer[name].eq(d[name]) for name in EDGE_FIELDS)]
        m.d.comb += [
            store.layer.eq(d), store.start.eq(sequencer.start), sequencer.stored.eq(store.done),
            sequencer.passed.eq(Cat(edge.tile == d.tiles for edge in edges).all()),
        ]

    def _count(self, m, core, fb, wb, run):
        """What the PEs did two cycles before, and what left FB and WB."""
        counting, ran = Signal(2), Signal(2)
        m.d.sync += [counting.eq(Cat(self.counting, counting[0])), ran.eq(Cat(run, ran[0]))]
        moved = {"fb_groups": core.reads}
        for name, banks in (("fb_tokens", fb), ("wb_tokens", wb)):
            moved[name] = Signal(range(len(banks) + 1), name=f"moved_{name}")
            m.d.sync += moved[name].eq(adder_tree(
                [bank.o.valid & bank.o.ready for bank in banks], m=m, name=name))
        with m.If(self.clear):
            m.d.sync += [count.eq(0) for count in self.counts]
        with m.Else():
            with m.If(counting[1] & ~ran[1]):
                m.d.sync += self.counts[0].eq(self.counts[0] + self.cfg.pes)
            with m.If(counting[1] & ran[1]):
                m.d.sync += [self.counts[1 + cause.value].eq(
                    self.counts[1 + cause.value] + core.causes[cause.value]) for cause in Cause]
            for n, name in enumerate(READS, len(CAUSES)):
                m.d.sync += self.counts[n].eq((self.counts[n] + moved[name])[:COUNTER_BITS])

    def _errors(self, m, loader, fb, wb, sequencer, store, core):
        """The first of those of a cycle: common ones, then columns and rows from 0 on."""
        error = self.error
        conditions = [(sequencer.left, S2Error.KERNEL, 0), (store.overflow, S2Error.SHAPE, 0)]
        if self.cfg.naive:      # its rows and columns run in step
            conditions.append((core.error, S2Error.GROUP, 0))
        for first, banks in ((0, fb), (COLUMN, wb)):
            conditions += [(bank.error != FlowError.NONE,
                            FIRST_DESIGN_CODE - 1 + Value.cast(bank.error), first + n)
                           for n, bank in reversed(list(enumerate(banks)))]
        conditions += [(loader.error, S2Error.LINE, 0), (self.lines.error, ErrorCode.LINE_CRC, 0),
                       (sequencer.bad, S2Error.SHAPE, 0)]
        for condition, code, info in conditions:
            with m.If(condition):
                m.d.comb += [error.valid.eq(1), error.code.eq(code), error.info.eq(info)]
