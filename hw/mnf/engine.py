# Ref: Yu et al., "Multiply-and-Fire", Section 5.1: the complete accelerator, its bus aside.
from enum import IntEnum

from amaranth import *
from amaranth.lib import wiring

from hw.common.axi.errors import FIRST_DESIGN_CODE, ErrorCode
from hw.common.axi.lines import LineReader, LineWriter
from hw.common.axi.shell import COUNTER_BITS, engine_members
from hw.common.counters import CauseCounters
from hw.common.numeric import adder_tree

from .array import Array
from .feeder import Feeder
from .fields import CRC_BITS, line_bits
from .layouts import descriptor_layout
from .mesh import section_nodes
from .sequencer import Phase, Sequencer
from .storage_pe import StoragePE


class MNFError(IntEnum):
    """MNF's own error codes; `ErrorCode` has the common ones."""

    LINE = FIRST_DESIGN_CODE            # a line of no or too many contents
    STRAY = FIRST_DESIGN_CODE + 1       # a flit to a node that is no PE
    FLIT = FIRST_DESIGN_CODE + 2        # one that a PE cannot take; info of these: node
    EVENT = FIRST_DESIGN_CODE + 3       # an event out of the pass's range
    END_TWICE = FIRST_DESIGN_CODE + 4
    END_MISSING = FIRST_DESIGN_CODE + 5
    PIXEL = FIRST_DESIGN_CODE + 6       # a fired pixel beyond the map; info: port


CAUSES = ("compute", "drain", "load", "wait", "idle")      # PE-cycles, the first that holds


def counters(cfg):
    """Names of the counters, in order."""
    return (*CAUSES, "macs", "pixels", "events", "fired", "spilled",
            *(f"busy_{node}" for node in range(1, cfg.nodes)))


class Engine(wiring.Component):
    """MNF between its descriptors and its DMA: a pass per descriptor.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    As `hw.common.axi.shell.engine_members` says.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__(engine_members(descriptor_layout(cfg), cfg.addr_bits, cfg.memory_bits,
                                        len(counters(cfg))))

    def elaborate(self, platform):
        m = Module()
        cfg, content = self.cfg, line_bits(self.cfg) - CRC_BITS
        m.submodules.lines = lines = LineReader(content, cfg.memory_bits)
        m.submodules.out_lines = out = LineWriter(content, cfg.memory_bits)
        m.submodules.sequencer = sequencer = Sequencer(cfg)
        m.submodules.feeder = feeder = Feeder(cfg)
        m.submodules.storage = storage = StoragePE(cfg)
        m.submodules.array = array = Array(cfg)
        wiring.connect(m, wiring.flipped(self.read_data), lines.i)
        wiring.connect(m, out.o, wiring.flipped(self.write_data))
        wiring.connect(m, storage.o, out.i)
        wiring.connect(m, wiring.flipped(self.descriptor), sequencer.descriptor)
        wiring.connect(m, sequencer.command, wiring.flipped(self.read_command))
        self._lines(m, lines, feeder, storage, sequencer)
        self._ports(m, array, feeder, storage, sequencer)
        self._sequence(m, array, storage, sequencer)
        self._store(m, storage, sequencer)
        self._count(m, array, storage, sequencer)
        self._errors(m, lines, feeder, array, storage, sequencer)
        return m

    def _lines(self, m, lines, feeder, storage, sequencer):
        """Lines go to the network in SETUP, to the replay else."""
        ended, setup = Signal(), Signal()
        content = lines.o.p.content
        m.d.comb += [
            setup.eq(sequencer.phase == Phase.SETUP),
            Value.cast(feeder.i.payload).eq(content), feeder.i.valid.eq(lines.o.valid & setup),
            Value.cast(storage.line.payload).eq(content),
            storage.line.valid.eq(lines.o.valid & ~setup),
            lines.o.ready.eq(Mux(setup, feeder.i.ready, storage.line.ready)),
            sequencer.fed.eq(ended & feeder.idle),
        ]
        with m.If(~setup):
            m.d.sync += ended.eq(0)
        with m.Elif(lines.o.valid & feeder.i.ready & lines.o.p.last):
            m.d.sync += ended.eq(1)

    def _ports(self, m, array, feeder, storage, sequencer):
        """A port's pixels; its flits, of the feeder in SETUP, of the sequencer else."""
        setting = self.descriptor.p.generator
        for n in range(self.cfg.ports):
            fed, end, flit = feeder.o[n], sequencer.flit[n], array.flit[n]
            wiring.connect(m, storage.pixel[n], array.pixel[n])
            wiring.connect(m, array.result[n], storage.result[n])
            m.d.comb += [
                flit.valid.eq(fed.valid | end.valid),
                flit.payload.eq(Mux(fed.valid, fed.payload, end.payload)),
                fed.ready.eq(flit.ready), end.ready.eq(flit.ready & ~fed.valid),
                array.setting[n].eq(setting),
            ]
            for own, target in zip(array.setting[n].targets, setting.targets, strict=True):
                m.d.comb += own.dest.eq(target.dest & section_nodes(self.cfg, n))

    def _sequence(self, m, array, storage, sequencer):
        own = self.descriptor.p
        still = Cat(array.idle, *(~result.valid for result in array.result)).all()
        m.d.comb += [
            array.clear.eq(self.clear),         # a run begins with sums of 0, whatever was before
            *(getattr(storage, name).eq(getattr(sequencer, name)) for name in (
                "settle", "turn", "clear", "clear_row", "replay", "begin", "lines")),
            sequencer.settled.eq(storage.settled), sequencer.replayed.eq(storage.replayed),
            sequencer.spilled.eq(storage.spilled), storage.banks.eq(~own.from_memory),
            storage.first_row.eq(own.first_row), storage.last_row.eq(own.last_row),
            storage.still.eq(still & storage.settle), storage.map.keep.eq(own.keep),
            storage.map.rows.eq(own.out_rows), storage.map.row_events.eq(own.row_events),
        ]

    def _store(self, m, storage, sequencer):
        """A layer's region, commanded with its first line."""
        own, command = self.descriptor.p, self.write_command
        address, lines = Signal(32), Signal(32)
        with m.If(sequencer.turn):
            m.d.sync += [address.eq(own.store_addr), lines.eq(own.store_lines),
                         sequencer.spill_addr.eq(address), storage.open.eq(0)]
        with m.Elif(command.valid & command.ready):
            m.d.sync += storage.open.eq(1)
        m.d.comb += [
            command.valid.eq(storage.opens & ~storage.open), command.p.address.eq(address),
            command.p.beats.eq(lines * (line_bits(self.cfg) // self.cfg.memory_bits)),
            storage.written.eq(self.write_done),
        ]

    def _count(self, m, array, storage, sequencer):
        """What each PE did, and what moved; two cycles behind."""
        cfg = self.cfg
        m.submodules.causes = causes = CauseCounters(cfg.pes, len(CAUSES), COUNTER_BITS)
        m.d.comb += [causes.enable.eq(self.counting), causes.clear.eq(self.clear)]
        for n in range(cfg.pes):
            code = causes.cause[n]
            m.d.comb += code.eq(CAUSES.index("idle"))
            for condition, name in (
                    ((sequencer.phase == Phase.MULTIPLY) & self.descriptor.p.members[n + 1],
                     "wait"),
                    (sequencer.phase == Phase.SETUP, "load"),
                    (array.draining[n], "drain"), (array.busy[n], "compute")):
                with m.If(condition):
                    m.d.comb += code.eq(CAUSES.index(name))
        moved = {"macs": adder_tree(list(array.macs), m=m, name="macs"),
                 "pixels": storage.replays,
                 "events": adder_tree(list(array.events), m=m, name="events"),
                 "fired": adder_tree(list(storage.fired), m=m, name="fired"),
                 "spilled": storage.spills,
                 **{f"busy_{n + 1}": array.busy[n] for n in range(cfg.pes)}}
        for n, name in enumerate(counters(cfg)):
            if name in CAUSES:
                m.d.comb += self.counts[n].eq(causes.count[n])
                continue
            step = Signal(Value.cast(moved[name]).shape(), name=f"step_{name}")
            m.d.sync += [step.eq(moved[name]),
                         self.counts[n].eq(Mux(self.clear, 0, self.counts[n] + step))]
        m.d.comb += self.progress.eq(Cat(array.busy, storage.replays, storage.fired,
                                         array.events).any() | sequencer.clear)

    def _errors(self, m, lines, feeder, array, storage, sequencer):
        """The first of those of a cycle; the last described wins."""
        error = self.error
        conditions = [(array.stray, MNFError.STRAY, 0)]
        for bad, code in ((array.bad_event, MNFError.EVENT), (array.bad_flit, MNFError.FLIT)):
            conditions += [(bad[n], code, n + 1) for n in range(self.cfg.pes)]
        conditions += [(storage.bad[n], MNFError.PIXEL, n) for n in range(self.cfg.ports)]
        conditions += [
            (storage.missing.valid, MNFError.END_MISSING, storage.missing.source),
            (storage.twice.valid, MNFError.END_TWICE, storage.twice.source),
            (feeder.stray, MNFError.STRAY, 0), (feeder.wrong | storage.wrong, MNFError.LINE, 0),
            (lines.error, ErrorCode.LINE_CRC, 0), (sequencer.bad, ErrorCode.BAD_DESCRIPTOR, 0)]
        for condition, code, info in conditions:
            with m.If(condition):
                m.d.comb += [error.valid.eq(1), error.code.eq(code), error.info.eq(info)]
