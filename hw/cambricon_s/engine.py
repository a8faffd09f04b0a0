# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V: the complete accelerator, its bus aside.
from enum import IntEnum

from amaranth import *
from amaranth.lib import enum, wiring

from hw.common.axi.errors import FIRST_DESIGN_CODE, ErrorCode
from hw.common.axi.shell import COUNTER_BITS, engine_members
from hw.common.numeric import adder_tree
from hw.common.shared import Shared
from hw.common.stream.fifo import FIFO

from .config import CambriconSConfig
from .cp import CP
from .dispatch import Dispatch
from .feed import USED, Feed, Lack
from .instruction import CHOICES
from .layouts import descriptor_layout, segment_layout
from .load import PAIRS, Load
from .nbin import NBin
from .nfu import NFU
from .nsm import NSM
from .sib import SIB
from .sides import Sides
from .store import Store


class CambriconSError(IntEnum):
    """Cambricon-S's own error codes; `ErrorCode` has the common ones."""

    SIDE = FIRST_DESIGN_CODE            # a side to be filled that is not FILLING
    RANGE = FIRST_DESIGN_CODE + 1       # an address beyond a side
    INDEX = FIRST_DESIGN_CODE + 2       # another number of synapses than the COMPUTE says
    CODEBOOK = FIRST_DESIGN_CODE + 3    # an index beyond the codebook's entries


class Cause(enum.Enum, shape=4):
    """What the PEs do in a cycle, seen at NSM's last stage; exactly one holds."""

    IDLE = 0            # no COMPUTE has come
    MULTIPLY = 1
    VIEW = 2            # lanes of the vector wait for another view
    EXHAUSTED = 3       # a window without a full row, a last vector without lanes
    LATENCY = 4         # windows are on their way
    NBOUT = 5           # a COMPUTE waits for this side
    NBIN = 6
    SIB = 7
    SB = 8
    BOOK = 9
    IMBALANCE = 10      # an index per PE: a PE has come to the end of a segment, others have not


CAUSES = tuple(cause.name.lower() for cause in Cause)       # PE-cycles
BEATS = tuple(f"beats_{name}" for name in CHOICES["buffer"])
COUNTERS = (*CAUSES, "lanes", "issues", "segments", *BEATS, "beats_store")


class Engine(wiring.Component):
    """Cambricon-S between its descriptors and its DMA: three units, the buffers, the NFU.

    A descriptor seen in cycle s starts its program in s; it is taken when every word was handed
    out, all units are done, and every region stored has its responses.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    As `hw.common.axi.shell.engine_members` says, with strobes.
    """

    def __init__(self, cfg: CambriconSConfig):
        if cfg.data_bits < 8:
            raise ValueError(f"data_bits of a whole machine must be 8 or 16, not {cfg.data_bits}")
        self.cfg = cfg
        super().__init__(engine_members(descriptor_layout(), cfg.addr_bits, cfg.memory_bits,
                                        len(COUNTERS), strobes=True))

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        blocks = {"cp": CP, "load": Load, "feed": Feed, "nbin": NBin, "sib": SIB, "nfu": NFU,
                  "store": Store}
        for name, cls in blocks.items():
            block = cls(cfg)
            setattr(self, name, block)
            m.submodules[name] = block
        self.nsms, self.dispatches = [], []
        for n in range(cfg.selectors):
            m.submodules[f"nsm_{n}"] = nsm = Shared(NSM, cfg)
            m.submodules[f"dispatch_{n}"] = dispatch = Shared(Dispatch, cfg)
            self.nsms.append(nsm)
            self.dispatches.append(dispatch)
        self.sides = {}
        for name in (*PAIRS, "nbout"):
            m.submodules[f"sides_{name}"] = self.sides[name] = Sides()
        # As many segments as windows between feed and dispatch: never full.
        m.submodules.segments = self.segments = FIFO(segment_layout(cfg),
                                                     self.nsms[0].block.stages + 2)
        self._run(m)
        self._bus(m)
        self._fills(m)
        self._states(m)
        self._compute(m)
        self._count(m)
        self._errors(m)
        return m

    def _run(self, m):
        """A program from its descriptor's first cycle until nothing is left of it."""
        cp, running, start, idle = self.cp, Signal(), Signal(), Signal()
        m.d.comb += [
            start.eq(self.descriptor.valid & ~running), cp.start.eq(start),
            self.nfu.clear.eq(start),
            cp.program.eq(self.descriptor.p.program), cp.words.eq(self.descriptor.p.words),
            *(pair.clear.eq(start) for pair in self.sides.values()),
            idle.eq(cp.done & ~cp.load.valid & ~cp.compute.valid & ~cp.store.valid
                    & ~self.load.busy & ~self.feed.busy & ~self.segments.o.valid
                    & ~Cat(one.o.valid for one in self.dispatches).any() & ~self.nfu.busy
                    & ~self.store.busy),
            self.descriptor.ready.eq(running & idle),
            self.progress.eq(self.feed.busy | self.segments.o.valid | self.store.moves),
        ]
        with m.If(start):
            m.d.sync += running.eq(1)
        with m.Elif(self.descriptor.ready):
            m.d.sync += running.eq(0)

    def _bus(self, m):
        wiring.connect(m, self.load.read_command, wiring.flipped(self.read_command))
        wiring.connect(m, wiring.flipped(self.read_data), self.load.read_data)
        wiring.connect(m, self.store.write_command, wiring.flipped(self.write_command))
        wiring.connect(m, self.store.write_data, wiring.flipped(self.write_data))
        m.d.comb += self.store.write_done.eq(self.write_done)

    def _fills(self, m):
        for name in ("load", "compute", "store"):
            unit = {"load": self.load, "compute": self.feed, "store": self.store}[name]
            wiring.connect(m, getattr(self.cp, name), unit.i)
        for block in (self.nbin, self.sib, self.nfu, self.cp):
            m.d.comb += block.fill.eq(self.load.fill)

    def _states(self, m):
        """The sides' states to the units, the units' events to the sides."""
        sides, load, feed, cp = self.sides, self.load, self.feed, self.cp
        for n, name in enumerate(PAIRS):
            pair = sides[name]
            m.d.comb += [pair.fill.eq(load.taken[n]), pair.filled.eq(load.filled[n])]
            for side in range(2):
                m.d.comb += load.state[2 * n + side].eq(pair.state[side])
        ends = {"nbin": feed.used[0], "sib": feed.used[1], "sb": self.nfu.sb_used,
                "book": self.nfu.book_used}
        for n, name in enumerate(USED):
            m.d.comb += [sides[name].use.eq(feed.use[n]), sides[name].used.eq(ends[name])]
            for side in range(2):
                m.d.comb += feed.state[2 * n + side].eq(sides[name].state[side])
        nbout = sides["nbout"]
        m.d.comb += [nbout.fill.eq(feed.fill), nbout.filled.eq(self.nfu.filled),
                     nbout.use.eq(self.store.use), nbout.used.eq(self.store.used),
                     sides["ib"].used.eq(cp.used)]
        for side in range(2):
            m.d.comb += [feed.nbout[side].eq(nbout.state[side]),
                         self.store.state[side].eq(nbout.state[side]),
                         cp.state[side].eq(sides["ib"].state[side])]

    def _compute(self, m):
        """Feed, NBin, SIB, NSM, Dispatch, NFU, one behind the other. A window goes to all NSMs at
        once; the last issues of a segment leave together."""
        feed, nbin, sib = self.feed, self.nbin, self.sib
        segments, nfu, window = self.segments, self.nfu, self.cfg.window
        segment = Signal(segment_layout(self.cfg))          # of the issue at the output
        room, meet = Signal(), Signal()
        m.d.comb += [room.eq(Cat(nsm.i.ready for nsm in self.nsms).all()), feed.o.ready.eq(room),
                     meet.eq(Cat(one.ends for one in self.dispatches).all())]
        for n, (nsm, dispatch) in enumerate(zip(self.nsms, self.dispatches, strict=True)):
            wiring.connect(m, nsm.o, dispatch.i)
            m.d.comb += [
                nsm.i.valid.eq(feed.o.valid & room),
                nsm.i.p.index.eq(feed.o.p.index[n * window:(n + 1) * window]),
                *(nsm.i.p[name].eq(feed.o.p[name]) for name in
                  ("neurons", "count", "last", "dense", "dynamic")),
                dispatch.meet.eq(meet), dispatch.o.ready.eq(1),
                dispatch.width.eq(segments.o.p.width), dispatch.word.eq(segments.o.p.sb_word),
                nfu.issued[n].valid.eq(dispatch.o.valid), nfu.issued[n].issue.eq(dispatch.o.p),
                nfu.issued[n].segment.eq(segment),
            ]
        m.d.comb += [
            nbin.en.eq(feed.read), nbin.side.eq(feed.nbin_side), nbin.addr.eq(feed.nbin_addr),
            sib.en.eq(feed.read), sib.side.eq(feed.sib_side), sib.word.eq(feed.sib_word),
            feed.neurons.eq(nbin.window.as_value()), feed.index.eq(sib.index),
            segments.i.valid.eq(feed.segment_valid), segments.i.payload.eq(feed.segment),
            segments.o.ready.eq(meet),
            nfu.store_side.eq(self.store.side), nfu.store_vector.eq(self.store.vector),
            self.store.sums.eq(nfu.stored),
        ]
        m.d.sync += segment.eq(segments.o.payload)

    def _cause(self, m, n):
        """Of the PEs that selector n serves."""
        cause, lack = Signal(Cause, name=f"cause_{n}"), self.feed.lack
        nsm, dispatch = self.nsms[n], self.dispatches[n]
        vector = nsm.o
        with m.If(vector.valid & dispatch.out_of_view):
            m.d.comb += cause.eq(Cause.VIEW)
        with m.Elif(dispatch.ends & ~dispatch.meet):
            m.d.comb += cause.eq(Cause.IMBALANCE)
        with m.Elif(vector.valid):
            m.d.comb += cause.eq(Mux(vector.p.count == 0, Cause.EXHAUSTED, Cause.MULTIPLY))
        with m.Elif(nsm.waiting):
            m.d.comb += cause.eq(Cause.EXHAUSTED)
        with m.Elif(self.feed.busy | self.segments.o.valid):
            m.d.comb += cause.eq(Cause.LATENCY)
        for code in Lack:
            if code != Lack.NOTHING:
                with m.Elif(lack == code):
                    m.d.comb += cause.eq(Cause[code.name])
        return cause

    def _count(self, m):
        """PE-cycles by cause, in each cycle one; what was issued; beats."""
        cfg = self.cfg
        causes = [self._cause(m, n) for n in range(cfg.selectors)]
        issues = [dispatch.o for dispatch in self.dispatches]
        pes = cfg.tm // cfg.selectors       # that a selector serves
        events = [*(adder_tree([cause == code for cause in causes]) for code in Cause),
                  adder_tree([lane.valid & issue.valid for issue in issues
                              for lane in issue.p.lanes], m=m, name="lanes"),
                  adder_tree([issue.valid for issue in issues]),
                  issues[0].valid & issues[0].p.last,
                  *self.load.beats, self.write_data.valid & self.write_data.ready]
        for n, (count, event) in enumerate(zip(self.counts, events, strict=True)):
            held = Signal(COUNTER_BITS, name=f"count_{COUNTERS[n]}")
            m.d.comb += count.eq(held * pes if n < len(CAUSES) else held)
            with m.If(self.clear):
                m.d.sync += held.eq(0)
            with m.Elif(self.counting):
                m.d.sync += held.eq(held + event)

    def _errors(self, m):
        nfu, cp = self.nfu, self.cp
        beyond = (self.nbin.beyond | self.sib.beyond | nfu.beyond | cp.beyond | self.feed.beyond
                  | self.store.beyond)
        # A register, held until reset: what DMA moves in this cycle must not depend on it.
        for condition, code in (
                (self.load.wrong_side | self.feed.wrong_side, CambriconSError.SIDE),
                (beyond, CambriconSError.RANGE), (nfu.bad_synapses, CambriconSError.INDEX),
                (nfu.bad_index, CambriconSError.CODEBOOK),
                (cp.bad_slot, ErrorCode.BAD_DESCRIPTOR),
                (self.load.bad_crc | cp.bad_line, ErrorCode.LINE_CRC)):
            with m.If(condition & ~self.error.valid):
                m.d.sync += [self.error.valid.eq(1), self.error.code.eq(code)]
