# Ref: Parashar et al., "SCNN", ISCA 2017, Fig. 5: the complete accelerator, its bus aside.
from enum import IntEnum

from amaranth import *
from amaranth.lib import wiring

from hw.common.axi.errors import FIRST_DESIGN_CODE, ErrorCode
from hw.common.axi.lines import LineReader, LineWriter
from hw.common.axi.shell import COUNTER_BITS, engine_members
from hw.common.counters import CauseCounters

from .broadcast import Broadcast
from .collector import Collector
from .layouts import Cause, PEError, descriptor_layout, line_layout
from .pe_array import PEArray
from .sequencer import Sequencer
from .weight_decoder import WeightDecoder


class SCNNError(IntEnum):
    """SCNN's own error codes; `ErrorCode` has the common ones."""

    STREAM = FIRST_DESIGN_CODE  # lines that are no valid section
    INPUT_OVERFLOW = FIRST_DESIGN_CODE + 1  # more than the input RAM holds; info: PE
    OARAM_OVERFLOW = FIRST_DESIGN_CODE + 2  # more than the output RAM holds; info: PE
    RANGE = FIRST_DESIGN_CODE + 3  # an activation outside the window; info: PE


# PE-cycles by what the PE did. `Cause.DONE` splits: load, idle outside of groups, drain when
# all PEs wait, else barrier.
CAUSES = ("idle", "load", "multiply", "conflict", "starved", "drain", "barrier")
COUNTERS = (*CAUSES, "products")


class Engine(wiring.Component):
    """SCNN between its descriptors and its DMA.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    As `hw.common.axi.shell.engine_members` says.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__(engine_members(descriptor_layout(cfg), cfg.addr_bits, cfg.memory_bits,
                                        len(COUNTERS)))

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.sequencer = sequencer = Sequencer(cfg)
        m.submodules.lines = lines = LineReader(line_layout(cfg), cfg.memory_bits)
        m.submodules.decoder = decoder = WeightDecoder(cfg)
        m.submodules.broadcast = broadcast = Broadcast(cfg)
        m.submodules.array = array = PEArray(cfg)
        m.submodules.collector = collector = Collector(cfg)
        m.submodules.out_lines = out_lines = LineWriter(line_layout(cfg), cfg.memory_bits)

        self._weights(m, lines, decoder, broadcast, array, sequencer)
        self._store(m, collector, out_lines, array, sequencer)
        self._transfers(m, sequencer)
        m.d.comb += sequencer.complete.eq(decoder.complete)
        self._sequence(m, sequencer, array, broadcast)
        self._count(m, array, sequencer)
        self._errors(m, sequencer, lines, decoder, array)
        return m

    def _weights(self, m, lines, decoder, broadcast, array, sequencer):
        wiring.connect(m, wiring.flipped(self.read_data), lines.i)
        wiring.connect(m, decoder.o, broadcast.i)
        m.d.comb += [
            decoder.i.payload.eq(lines.o.p.content), decoder.i.valid.eq(lines.o.valid),
            lines.o.ready.eq(decoder.i.ready),
            decoder.layer.eq(self.descriptor.p.layer), decoder.start.eq(sequencer.layer_start),
            broadcast.empty.eq(array.all_empty),
        ]
        for r in range(self.cfg.pe_rows):
            m.d.comb += array.announce[r].eq(broadcast.announce[r])
            for c in range(self.cfg.pe_cols):
                wiring.connect(m, broadcast.o[r][c], array.line[r][c])

    def _store(self, m, collector, out_lines, array, sequencer):
        wiring.connect(m, out_lines.o, wiring.flipped(self.write_data))
        m.d.comb += [
            collector.start.eq(sequencer.store),
            collector.channels.eq(self.descriptor.p.layer.out_channels),
            collector.pes.eq(array.store),
            array.store_channel.eq(collector.channel), array.store_row.eq(collector.row),
            out_lines.i.valid.eq(collector.o.valid), out_lines.i.p.content.eq(collector.o.payload),
            out_lines.i.p.last.eq(collector.o.p.end_section),
            collector.o.ready.eq(out_lines.i.ready),
            sequencer.store_done.eq(self.write_done),
        ]

    def _transfers(self, m, sequencer):
        beats = self.cfg.line_beats
        for side in ("read", "write"):
            command = getattr(self, f"{side}_command")
            m.d.comb += [
                command.valid.eq(getattr(sequencer, f"{side}_valid")),
                command.p.address.eq(getattr(sequencer, f"{side}_address")),
                command.p.beats.eq(getattr(sequencer, f"{side}_lines") * beats),
                getattr(sequencer, f"{side}_ready").eq(command.ready),
            ]

    def _sequence(self, m, sequencer, array, broadcast):
        m.d.comb += [
            sequencer.descriptor.eq(self.descriptor.p),
            sequencer.start.eq(self.descriptor.valid), self.descriptor.ready.eq(sequencer.finished),
            sequencer.loaded.eq(broadcast.loaded), sequencer.all_done.eq(array.all_done),
            sequencer.all_drained.eq(array.all_drained),
            array.descriptor.eq(self.descriptor.p), array.command.eq(sequencer.command),
        ]

    def _count(self, m, array, sequencer):
        """What each PE did, added up over the array; two cycles behind."""
        cfg = self.cfg
        m.submodules.causes = causes = CauseCounters(cfg.pes, len(CAUSES), COUNTER_BITS)
        names = {Cause.MULTIPLY: "multiply", Cause.CONFLICT: "conflict", Cause.STARVED: "starved"}
        waiting = Signal(range(len(CAUSES)))
        with m.If(sequencer.command.load):
            m.d.comb += waiting.eq(CAUSES.index("load"))
        with m.Elif(~sequencer.grouping):
            m.d.comb += waiting.eq(CAUSES.index("idle"))
        with m.Else():
            m.d.comb += waiting.eq(Mux(array.all_done, CAUSES.index("drain"),
                                       CAUSES.index("barrier")))
        m.d.comb += [
            self.progress.eq(array.products.any() | ~array.all_drained),
            causes.enable.eq(self.counting), causes.clear.eq(self.clear),
        ]
        for n in range(cfg.pes):
            with m.Switch(array.statuses[n].cause):
                for cause, name in names.items():
                    with m.Case(cause):
                        m.d.comb += causes.cause[n].eq(CAUSES.index(name))
                with m.Default():
                    m.d.comb += causes.cause[n].eq(waiting)
        products = Signal(COUNTER_BITS)
        with m.If(self.clear):
            m.d.sync += products.eq(0)
        with m.Elif(self.counting):
            m.d.sync += products.eq(products + array.products)
        for n in range(len(CAUSES)):
            m.d.comb += self.counts[n].eq(causes.count[n])
        m.d.comb += self.counts[len(CAUSES)].eq(products)

    def _errors(self, m, sequencer, lines, decoder, array):
        codes = {PEError.INPUT_OVERFLOW: SCNNError.INPUT_OVERFLOW,
                 PEError.OUTPUT_OVERFLOW: SCNNError.OARAM_OVERFLOW,
                 PEError.RANGE: SCNNError.RANGE}
        error = self.error
        with m.If(array.error):
            m.d.comb += [error.valid.eq(1), error.info.eq(array.error_pe)]
            with m.Switch(array.error_code):
                for code, meaning in codes.items():
                    with m.Case(code):
                        m.d.comb += error.code.eq(meaning)
        for condition, code in ((decoder.error, SCNNError.STREAM),
                                (lines.error, ErrorCode.LINE_CRC),
                                (sequencer.bad, ErrorCode.BAD_DESCRIPTOR)):
            with m.If(condition):
                m.d.comb += [error.valid.eq(1), error.code.eq(code), error.info.eq(0)]
