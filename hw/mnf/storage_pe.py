# Ref: Yu et al., "Multiply-and-Fire", Section 5: the PE that holds a layer's events, node 0.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.lines import line_layout
from hw.common.shared import Shared
from hw.common.stream.fork import Fork

from .bank import Bank
from .ends import Ends
from .fields import CRC_BITS, line_bits
from .layouts import pixel_layout, pixel_line_layout, result_layout
from .replay import Replay
from .spill import Spill


def map_layout(cfg):
    """Where the outputs of a layer go."""
    return data.StructLayout({"keep": 1, "rows": cfg.coord_bits + 1,
                              "row_events": range(cfg.storage_events + 1)})


class StoragePE(wiring.Component):
    """Storage PE: takes what PEs fire, replays the map of the layer before.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    result : In(stream.Signature(result_layout(cfg))).array(ports)
    pixel : Out(stream.Signature(pixel_layout(cfg))).array(ports)
        Each pixel of the replay goes to every port; the next one follows the last copy.
    turn, map : In(1), In(map_layout(cfg))
        The sides turn, a layer begins; ``map`` is its outputs'. While ``settled``.
    clear, clear_row : In(1), In
        Nothing is in this row of the side to be written.
    replay, banks, first_row, last_row, lines : In
        Of `Replay`: ``replay`` starts it.
    line : In(stream.Signature(pixel_line_layout(cfg)))
    replayed : Out(1)
    begin : In(nodes), still : In(1)
        Of `Ends`.
    settle : In(1)
        No pass of the layer will come any more; held until ``settled``: all ends are in, and what
        was to be written is in memory.
    o, opens, open, written
        Of `Spill`.
    spilled : Out(32)
        Lines that the layer before this one spilled.
    twice, missing, bad, wrong
        What is wrong, as `Ends`, `Bank` (by port) and `Replay` say it.
    fired, spills, replays : Out(ports), Out(1), Out(1)
        Pixels that came, went to memory, were replayed in this cycle.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        node = data.StructLayout({"valid": 1, "source": range(cfg.nodes)})
        super().__init__({
            "result": In(stream.Signature(result_layout(cfg))).array(cfg.ports),
            "pixel": Out(stream.Signature(pixel_layout(cfg))).array(cfg.ports),
            "turn": In(1), "map": In(map_layout(cfg)), "clear": In(1),
            "clear_row": In(cfg.coord_bits), "replay": In(1), "banks": In(1),
            "first_row": In(cfg.coord_bits), "last_row": In(cfg.coord_bits), "lines": In(32),
            "line": In(stream.Signature(pixel_line_layout(cfg))), "replayed": Out(1),
            "begin": In(cfg.nodes), "still": In(1), "settle": In(1), "settled": Out(1),
            "o": Out(stream.Signature(line_layout(line_bits(cfg) - CRC_BITS))),
            "opens": Out(1), "open": In(1), "written": In(1), "spilled": Out(32),
            "twice": Out(node), "missing": Out(node), "bad": Out(cfg.ports), "wrong": Out(1),
            "fired": Out(cfg.ports), "spills": Out(1), "replays": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.spill = spill = Spill(cfg)
        m.submodules.ends = ends = Ends(cfg)
        m.submodules.replay = replay = Replay(cfg)
        m.submodules.fork = fork = Fork(pixel_layout(cfg), cfg.ports)
        side, written, read_events = (Signal(), Signal(map_layout(cfg)),
                                      Signal(range(cfg.storage_events + 1)))
        idle = Signal(cfg.ports)
        with m.If(self.turn):
            m.d.sync += [side.eq(~side), written.eq(self.map), read_events.eq(written.row_events),
                         self.spilled.eq(Mux(written.keep, spill.lines, 0))]
        for n in range(cfg.ports):
            m.submodules[f"bank_{n}"] = bank = Shared(Bank, cfg)
            self._sink(m, n, bank, ends.result[n])
            wiring.connect(m, bank.spill, spill.i[n])
            m.d.comb += [
                bank.side.eq(side), bank.keep.eq(written.keep), bank.rows.eq(written.rows),
                bank.row_events.eq(written.row_events), bank.clear.eq(self.clear),
                bank.clear_row.eq(self.clear_row), bank.row.eq(replay.row),
                replay.count[n].eq(bank.count), bank.read.eq(replay.read),
                bank.address.eq(replay.address), replay.word[n].eq(bank.word),
                self.bad[n].eq(bank.bad), idle[n].eq(bank.idle)]
        wiring.connect(m, replay.o, fork.i)
        for n in range(cfg.ports):
            wiring.connect(m, fork.o[n], wiring.flipped(self.pixel[n]))
        wiring.connect(m, wiring.flipped(self.line), replay.line)
        wiring.connect(m, spill.o, wiring.flipped(self.o))
        m.d.comb += [
            replay.start.eq(self.replay), replay.banks.eq(self.banks),
            replay.first_row.eq(self.first_row), replay.last_row.eq(self.last_row),
            replay.row_events.eq(read_events), replay.lines.eq(self.lines),
            self.replayed.eq(replay.done), self.wrong.eq(replay.wrong),
            self.replays.eq(replay.o.valid & replay.o.ready),
            ends.begin.eq(self.begin), ends.still.eq(self.still),
            self.twice.eq(ends.twice), self.missing.eq(ends.missing),
            spill.flush.eq(self.settle & ends.none & idle.all()),
            spill.always.eq(~written.keep), spill.restart.eq(self.turn),
            self.settled.eq(ends.none & idle.all() & spill.done),
            self.opens.eq(spill.opens), spill.open.eq(self.open),
            spill.written.eq(self.written), self.spills.eq(spill.pixel),
        ]
        return m

    def _sink(self, m, n, bank, end):
        """Pixels into the bank; ends are counted."""
        result = self.result[n]
        m.d.comb += [
            bank.i.valid.eq(result.valid & ~result.p.end),
            result.ready.eq(bank.i.ready | result.p.end),
            *(bank.i.p[name].eq(result.p[name]) for name in pixel_layout(self.cfg).members),
            end.valid.eq(result.valid & result.ready), end.result.eq(result.payload),
            self.fired[n].eq(bank.i.valid & bank.i.ready)]
