# One descriptor after another: the states of a pass (README, *Memory image and descriptors*).
from enum import IntEnum

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import command_layout
from hw.common.axi.shell import BEATS_BITS

from .fields import Kind, line_bits
from .layouts import descriptor_layout, flit_layout
from .mesh import section_nodes


class Phase(IntEnum):
    """What causes depend on."""
    OTHER = 0
    SETUP = 1
    MULTIPLY = 2        # REPLAY and END


class Sequencer(wiring.Component):
    """Runs a pass: SETUP, WAIT, CLEAR, REPLAY, END, FINISH.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    descriptor : In(stream.Signature(descriptor_layout(cfg)))
        Taken when the pass is done but for its drains.
    command : Out(stream.Signature(command_layout(...)))
        Flit lines in SETUP, pixel lines in REPLAY.
    fed : In(1)
        The last line of SETUP was taken, and all of its flits.
    settle, settled, turn, clear, clear_row, replay, replayed, begin
        Of the `StoragePE`.
    spilled : In(32), spill_addr : In(32)
        What the layer before did not keep on chip: lines, and where they begin.
    lines : Out(32)
        Lines that this pass reads in REPLAY.
    flit : Out(stream.Signature(flit_layout(cfg))).array(ports)
        END.
    phase : Out(Phase)
    bad : Out(1)
        A descriptor that cannot run.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "descriptor": In(stream.Signature(descriptor_layout(cfg))),
            "command": Out(stream.Signature(command_layout(cfg.addr_bits, BEATS_BITS))),
            "fed": In(1), "settle": Out(1), "settled": In(1), "turn": Out(1), "clear": Out(1),
            "clear_row": Out(cfg.coord_bits), "replay": Out(1), "replayed": In(1),
            "begin": Out(cfg.nodes), "spilled": In(32), "spill_addr": In(32), "lines": Out(32),
            "flit": Out(stream.Signature(flit_layout(cfg))).array(cfg.ports),
            "phase": Out(Phase), "bad": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg, own = self.cfg, self.descriptor.p
        beats = line_bits(cfg) // cfg.memory_bits
        started, asked, size = Signal(), Signal(), Signal(len(own.row_events) + 16)
        sent, wanted = Signal(cfg.ports), Signal(cfg.ports)
        m.d.comb += [
            self.lines.eq(Mux(own.from_memory, own.map_lines, self.spilled)),
            size.eq(own.out_rows * own.row_events),
            self.phase.eq(Phase.OTHER),
        ]
        self._end(m, sent, wanted)
        with m.FSM():
            with m.State("BEGIN"):
                with m.If(self.descriptor.valid):
                    m.d.comb += self.bad.eq(
                        own.members[0] | own.fires[0] | (own.first & (
                            ~own.out_rows.any() | (own.out_rows >= 1 << cfg.coord_bits)
                            | (own.keep & (size > cfg.storage_events)))))
                    m.d.sync += [asked.eq(0), self.clear_row.eq(0)]
                    with m.If(self.bad):
                        m.next = "STUCK"
                    with m.Elif(own.setup_lines.any()):
                        m.next = "SETUP"
                    with m.Else():
                        m.next = "READY"
            with m.State("STUCK"):
                pass
            with m.State("SETUP"):
                m.d.comb += self.phase.eq(Phase.SETUP)
                self._ask(m, asked, own.setup_addr, own.setup_lines * beats)
                with m.If(self.fed):
                    m.d.sync += asked.eq(0)
                    m.next = "READY"
            with m.State("READY"):
                m.next = "REPLAY"
                with m.If(own.first):
                    m.next = "WAIT"
                m.d.sync += started.eq(0)
            with m.State("WAIT"):
                m.d.comb += self.settle.eq(1)
                with m.If(self.settled):
                    m.d.comb += self.turn.eq(1)
                    m.next = "CLEAR"
            with m.State("CLEAR"):
                m.d.comb += self.clear.eq(1)
                m.d.sync += self.clear_row.eq(self.clear_row + 1)
                with m.If(self.clear_row + 1 == own.out_rows):
                    m.next = "REPLAY"
            with m.State("REPLAY"):
                m.d.comb += [self.phase.eq(Phase.MULTIPLY), self.replay.eq(~started)]
                m.d.sync += [started.eq(1), sent.eq(~wanted)]
                with m.If(self.lines.any()):
                    self._ask(m, asked, Mux(own.from_memory, own.map_addr, self.spill_addr),
                              self.lines * beats)
                with m.If(started & self.replayed):
                    m.d.comb += self.begin.eq(own.fires)
                    m.next = "END"
            with m.State("END"):
                m.d.comb += self.phase.eq(Phase.MULTIPLY)
                for n, flit in enumerate(self.flit):
                    m.d.comb += flit.valid.eq(~sent[n])
                    with m.If(flit.ready):
                        m.d.sync += sent[n].eq(1)
                with m.If((sent | Cat(flit.ready for flit in self.flit)).all()):
                    m.next = "TAKE"
                    with m.If(own.last):
                        m.next = "FINISH"
            with m.State("FINISH"):
                m.d.comb += self.settle.eq(1)
                with m.If(self.settled):
                    m.next = "TAKE"
            with m.State("TAKE"):
                m.d.comb += self.descriptor.ready.eq(1)
                m.next = "BEGIN"
        return m

    def _ask(self, m, asked, address, beats):
        """A command, once in its state."""
        m.d.comb += [self.command.valid.eq(~asked), self.command.p.address.eq(address),
                     self.command.p.beats.eq(beats)]
        with m.If(self.command.ready):
            m.d.sync += asked.eq(1)

    def _end(self, m, sent, wanted):
        """END to the members, each port to its own."""
        for n, flit in enumerate(self.flit):
            dest = self.descriptor.p.members & section_nodes(self.cfg, n)
            m.d.comb += [wanted[n].eq(dest.any()), flit.p.dest.eq(dest),
                         flit.p.kind.eq(Kind.END)]
