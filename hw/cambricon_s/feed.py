# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V: what NBin and SIB give to NSM.
from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import ADDRESS, pair_layout, segment_layout, slot_layout, window_layout
from .sides import State, can_fill, is_full


class Lack(enum.Enum, shape=3):
    """What the COMPUTE at the head of the queue waits for."""

    NOTHING = 0
    NBOUT = 1
    NBIN = 2
    SIB = 3
    SB = 4
    BOOK = 5


USED = ("nbin", "sib", "sb", "book")


class Feed(wiring.Component):
    """The unit of the COMPUTE slots: windows out of NBin and SIB, one per cycle.

    A slot taken in cycle t has its first window's addresses given in t + 1, if the register before
    NSM is free or leaves; the next slot can be taken when the last window's are given.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    i : In(stream.Signature(slot_layout(cfg, "compute")))
    state : In(State).array(8), nbout : In(State).array(2)
        Of side s of buffer n of `USED`: 2 · n + s; of NBout's sides.
    use : Out(pair_layout()).array(4), fill : Out(pair_layout())
        Sides taken.
    used : Out(pair_layout()).array(2)
        NBin's and SIB's side, when the last window's addresses are given.
    read, nbin_side, nbin_addr, sib_side, sib_word : Out
        Addresses given, in this cycle.
    neurons : In(window · data_bits), index : In(index_bits)
        What the buffers answer a cycle later, held until the next ``read``.
    o : Out(stream.Signature(window_layout(cfg, selectors)))
    segment : Out({valid, payload})
        A segment's first window is addressed.
    busy : Out(1)
    lack : Out(Lack)
    wrong_side, beyond : Out(1)
        In this cycle: NBout's side is not COMPUTE's to fill; an address beyond a side.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(slot_layout(cfg, "compute"))),
            "state": In(State).array(2 * len(USED)), "nbout": In(State).array(2),
            "use": Out(pair_layout()).array(len(USED)), "fill": Out(pair_layout()),
            "used": Out(pair_layout()).array(2),
            "read": Out(1), "nbin_side": Out(1), "nbin_addr": Out(ADDRESS),
            "sib_side": Out(1), "sib_word": Out(ADDRESS),
            "neurons": In(cfg.window * cfg.data_bits), "index": In(cfg.index_bits),
            "o": Out(stream.Signature(window_layout(cfg, cfg.selectors))),
            "segment_valid": Out(1), "segment": Out(segment_layout(cfg)),
            "busy": Out(1), "lack": Out(Lack), "wrong_side": Out(1), "beyond": Out(1)})

    def elaborate(self, platform):
        m = Module()
        busy, ending, take, free = Signal(), Signal(), Signal(), Signal()
        slot = Signal(slot_layout(self.cfg, "compute"))
        m.d.comb += free.eq(~busy | ending)
        ready = self._sides(m, take, free)
        m.d.comb += [take.eq(self.i.valid & free & ready), self.i.ready.eq(take),
                     self.busy.eq(busy)]
        with m.If(ending):
            m.d.sync += busy.eq(0)
        with m.If(take):
            m.d.sync += [busy.eq(1), slot.eq(self.i.payload)]
        self._walk(m, slot, busy, ending, take)
        return m

    def _sides(self, m, take, free):
        """Whether the slot at the head may be taken; the events if it is."""
        slot = self.i.p
        fills, wrong = can_fill(self.nbout, slot.nbout_side, slot.acquire)
        m.d.comb += [self.wrong_side.eq(self.i.valid & free & wrong),
                     self.fill.valid.eq(take), self.fill.side.eq(slot.nbout_side),
                     self.fill.ends.eq(slot.publish)]
        ready = fills
        lacks = []
        for n, name in enumerate(USED):
            full = is_full(self.state[2 * n:2 * n + 2], slot[f"{name}_side"])
            ready = ready & full
            lacks.append((~full, Lack[name.upper()]))
            m.d.comb += [self.use[n].valid.eq(take), self.use[n].side.eq(slot[f"{name}_side"]),
                         self.use[n].ends.eq(slot[f"release_{name}"])]
        with m.If(self.i.valid & free):
            for missing, code in reversed(lacks):
                with m.If(missing):
                    m.d.comb += self.lack.eq(code)
            with m.If(~fills):
                m.d.comb += self.lack.eq(Lack.NBOUT)
        return ready

    def _walk(self, m, slot, busy, ending, take):
        """Positions, outer runs, inner runs, windows: an address each."""
        cfg, given, o = self.cfg, self.i.p, self.o.p
        positions, outer, inner = Signal(8), Signal(8), Signal(8)       # that are left
        position_at, outer_at, inner_at, at = (Signal(ADDRESS, name=f"{name}_at") for name in
                                               ("position", "outer", "inner", "window"))
        left, word, vector = Signal(16), Signal(ADDRESS), Signal(ADDRESS)
        first, advance, go = Signal(), Signal(), Signal()
        ends = {name: Signal(name=f"{name}_ends") for name in ("run", "inner", "outer", "segment")}
        count = Signal(cfg.window.bit_length())
        about = Signal(data.StructLayout({"count": len(count), "last": 1, "dense": 1,
                                          "dynamic": 1}))
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready), go.eq(busy & advance),
            count.eq(Mux(left >= cfg.window, cfg.window, left)),
            ends["run"].eq(left <= cfg.window), ends["inner"].eq(ends["run"] & (inner == 1)),
            ends["segment"].eq(ends["inner"] & (outer == 1)),
            ending.eq(go & ends["segment"] & (positions == 1)),
            self.read.eq(go), self.nbin_addr.eq(at), self.nbin_side.eq(slot.nbin_side),
            self.sib_side.eq(slot.sib_side), self.sib_word.eq(word),
            o.neurons.as_value().eq(self.neurons), o.index.eq(self.index),
        ]
        for n, name in enumerate(("nbin", "sib")):
            m.d.comb += [self.used[n].valid.eq(ending), self.used[n].side.eq(slot[f"{name}_side"]),
                         self.used[n].ends.eq(slot[f"release_{name}"])]
        with m.If(advance):
            m.d.sync += [self.o.valid.eq(busy), about.count.eq(count),
                         about.last.eq(ends["segment"]), about.dense.eq(slot.dense),
                         about.dynamic.eq(slot.dynamic)]
        m.d.comb += [o[name].eq(about[name]) for name in ("count", "last", "dense", "dynamic")]
        with m.If(go):
            m.d.sync += [word.eq(word + 1), left.eq(left - cfg.window), first.eq(0),
                         at.eq(at + cfg.window_granules)]
            with m.If(ends["run"]):
                after = inner_at + slot.inner_step
                m.d.sync += [left.eq(slot.run), inner.eq(inner - 1), inner_at.eq(after),
                             at.eq(after)]
            with m.If(ends["inner"]):
                after = outer_at + slot.outer_step
                m.d.sync += [inner.eq(slot.inner), outer.eq(outer - 1), outer_at.eq(after),
                             inner_at.eq(after), at.eq(after)]
            with m.If(ends["segment"]):
                after = position_at + slot.position_step
                m.d.sync += [outer.eq(slot.outer), positions.eq(positions - 1),
                             position_at.eq(after), outer_at.eq(after), inner_at.eq(after),
                             at.eq(after), word.eq(slot.sib_word), first.eq(1),
                             vector.eq(vector + slot.nbout_step)]
        with m.If(take):
            m.d.sync += [positions.eq(given.positions), outer.eq(given.outer),
                         inner.eq(given.inner), left.eq(given.run), word.eq(given.sib_word),
                         vector.eq(given.nbout_first), first.eq(1),
                         *(at_.eq(given.nbin_first) for at_ in (position_at, outer_at, inner_at,
                                                                at))]
        self._segment(m, slot, go & first, vector, positions == 1)
        granules = Signal(range(cfg.window_granules + 1))
        m.d.comb += [
            granules.eq((count + cfg.tn - 1) >> (cfg.tn.bit_length() - 1)),
            self.beyond.eq(go & ((at + granules > cfg.nbin_granules) | (word >= cfg.sib_words)
                                 | (vector >= cfg.nbout_vectors) | self._beyond_sb(m, slot))),
        ]

    def _segment(self, m, slot, valid, vector, final):
        segment = self.segment
        m.d.comb += [self.segment_valid.eq(valid), segment.vector.eq(vector)]
        for name in ("width", "sb_side", "sb_word", "synapses", "book_side", "nbout_side",
                     "begin", "own"):
            m.d.comb += segment[name].eq(slot[name])
        for name in ("publish", "release_sb", "release_book"):
            m.d.comb += segment[name].eq(slot[name] & final)

    def _beyond_sb(self, m, slot):
        """The segment's synapses, or its first word, lie beyond the side."""
        cfg = self.cfg
        end = Signal(range(256 * cfg.sb_word_bits + (1 << 19)))
        m.d.comb += end.eq(slot.sb_word * cfg.sb_word_bits + (slot.synapses << slot.width))
        return (end > cfg.sb_words * cfg.sb_word_bits) | (slot.sb_word >= cfg.sb_words)
