# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V: neural function unit of Tm PEs.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared

from .config import ENTRIES
from .instruction import CHOICES
from .layouts import ADDRESS, fill_layout, issued_layout, pair_layout
from .nbout import NBout
from .pe import LATENCY, PE

BIAS_BITS = 64      # in memory


class NFU(wiring.Component):
    """Neural function unit: Tm PEs that do the same in every cycle, their biases, NBout.

    An issue of cycle t; after a segment's last one its sums and the bias, or what NBout's vector
    held, are written to that vector in t + 6 and read from t + 6 on. Never stalls.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    clear : In(1)
        Forgets the entries that the codebooks have.
    fill : In(fill_layout(cfg))
        Units are rows of SB or words of every PE, entries of the codebook, Tm biases.
    issued : In(issued_layout(cfg)).array(selectors)
        For all PEs, or for each: then a segment's last issue comes for all in one cycle. Of a
        segment with ``own``, PE n multiplies synapse n alone.
    sb_used, book_used, filled : Out(pair_layout())
        Of SB and book: their last use; of NBout: the last vector of a COMPUTE is written.
    store_side : In(1), store_vector : In(range(nbout_vectors)), stored : Out(Tm · acc_bits)
        STORE's read, a cycle later.
    busy : Out(1)
        An issue before this cycle's has not been written.
    beyond, bad_synapses, bad_index : Out(1)
        In this cycle: a row beyond its side; a segment's index (the longest one) has another
        number of synapses than its instruction; an index beyond the codebook.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "clear": In(1), "fill": In(fill_layout(cfg)),
            "issued": In(issued_layout(cfg)).array(cfg.selectors),
            "sb_used": Out(pair_layout()), "book_used": Out(pair_layout()),
            "filled": Out(pair_layout()), "store_side": In(1),
            "store_vector": In(range(cfg.nbout_vectors)),
            "stored": Out(cfg.tm * cfg.acc_bits),
            "busy": Out(1), "beyond": Out(1), "bad_synapses": Out(1), "bad_index": Out(1)})

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        pes = []
        for n in range(cfg.tm):
            m.submodules[f"pe_{n}"] = pe = Shared(PE, cfg)
            pes.append(pe)
        row, wanted = Signal(ADDRESS), Signal()
        m.d.comb += [row.eq(self.fill.base + self.fill.index),
                     wanted.eq(self.fill.valid & (self.fill.index < self.fill.high))]
        beyond = Cat(self._fill_sb(m, pes, row, wanted), self._fill_book(m, pes, row, wanted))
        bias, beyond_bias = self._fill_bias(m, row, wanted)
        m.d.comb += self.beyond.eq(beyond.any() | beyond_bias)
        pasts = []
        for n, issued in enumerate(self.issued):
            pasts.append([issued])
            for age in range(1, LATENCY + 1):
                pasts[n].append(Signal(issued_layout(cfg), name=f"issued_{n}_{age}"))
                m.d.sync += pasts[n][age].eq(pasts[n][age - 1])
        m.d.comb += self.busy.eq(Cat(one.valid for past in pasts for one in past[1:]).any())
        for n, past in enumerate(pasts):
            self._step(m, pes if cfg.shared_index else pes[n:n + 1], n, past)
        self._ends(m, pes)
        self._write(m, pes, pasts[0], bias)
        return m

    def _is(self, name):
        return self.fill.to == CHOICES["buffer"].index(name)

    def _fill_sb(self, m, pes, row, wanted):
        """Each PE's word lies at a place of its own in a row; of "every", a beat's is for all."""
        cfg, fill = self.cfg, self.fill
        cell = min(cfg.sb_word_bits, cfg.memory_bits)
        parts = cfg.sb_word_bits // cell            # beats of a word
        each = cfg.memory_bits // cell              # words of a beat
        here, every, beyond = Signal(), Signal(), Signal()
        m.d.comb += [every.eq(self._is("every")),
                     here.eq(wanted & (self._is("sb") | every) & ~beyond),
                     beyond.eq(wanted & (self._is("sb") | every) & (row >= cfg.sb_words))]
        for n, pe in enumerate(pes):
            first, low = n * parts // each, n % each * cell
            m.d.comb += [
                pe.fill.valid.eq(here & (every | (fill.part >= first)
                                         & (fill.part < first + parts))),
                pe.fill.side.eq(fill.side), pe.fill.word.eq(row),
                pe.fill.part.eq(Mux(every, fill.part, fill.part - first)),
                pe.fill.data.eq(Mux(every, fill.data[:cell], fill.data[low:low + cell])),
            ]
        return beyond

    def _fill_book(self, m, pes, row, wanted):
        """Rows of the codebook to all PEs; its entries in use are those of the last LOAD."""
        cfg, fill = self.cfg, self.fill
        size = (cfg.memory_bits // cfg.data_bits).bit_length() - 1
        here, beyond = Signal(), Signal()
        m.d.comb += [here.eq(wanted & self._is("codebook") & ~beyond),
                     beyond.eq(wanted & self._is("codebook")
                               & ((row >= ENTRIES) | row[:size].any()))]
        for pe in pes:
            m.d.comb += [pe.book.valid.eq(here), pe.book.side.eq(fill.side),
                         pe.book.row.eq(row >> size), pe.book.data.eq(fill.data)]
        self.used = [Signal(range(ENTRIES + 1), name=f"used_{side}") for side in range(2)]
        for side, used in enumerate(self.used):
            with m.If(here & (fill.side == side)):
                m.d.sync += used.eq(Mux(fill.high > ENTRIES, ENTRIES, fill.high))
            with m.If(self.clear):
                m.d.sync += used.eq(0)
        return beyond

    def _fill_bias(self, m, row, wanted):
        """Returns the biases of both sides, and that there is a second row."""
        cfg, fill = self.cfg, self.fill
        bias = [Signal(data.ArrayLayout(signed(cfg.acc_bits), cfg.tm), name=f"bias_{side}",
                       reset_less=True) for side in range(2)]
        each = cfg.memory_bits // BIAS_BITS
        here = Signal()
        m.d.comb += here.eq(wanted & self._is("bias"))
        for n in range(cfg.tm):
            low = n % each * BIAS_BITS
            with m.If(here & (fill.part == n // each)):
                with m.If(fill.side):
                    m.d.sync += bias[1][n].eq(fill.data[low:low + cfg.acc_bits])
                with m.Else():
                    m.d.sync += bias[0][n].eq(fill.data[low:low + cfg.acc_bits])
        return bias, here & (row != 0)

    def _step(self, m, pes, first_pe, past):
        """What these PEs do in this cycle, of issues of different ages."""
        now, first, second, third = past[:4]
        step = Signal(pes[0].step.shape(), name=f"step_{first_pe}")
        valid = [Cat(lane.valid & past[age].valid for lane in past[age].issue.lanes)
                 for age in range(4)]
        side = second.segment.book_side
        m.d.comb += [
            step.sb_side.eq(now.segment.sb_side), step.word.eq(now.issue.word),
            step.width.eq(first.segment.width), step.book_side.eq(side),
            step.plain.eq(second.segment.width == 4),
            step.used.eq(Mux(side, self.used[1], self.used[0])),
            step.looked_up.eq(valid[2]), step.multiplied.eq(valid[3]),
            step.last.eq(third.valid & third.issue.last),
        ]
        for n in range(self.cfg.tn):
            m.d.comb += [step.offsets[n].eq(first.issue.lanes[n].offset),
                         step.neurons[n].eq(third.issue.lanes[n].neuron)]
        own = self._own(m, third)
        for n, pe in enumerate(pes, first_pe):
            mine = Cat(number == n for number in own) | ~third.segment.own.replicate(self.cfg.tn)
            m.d.comb += [pe.step.eq(step), pe.step.multiplied.eq(valid[3] & mine)]

    def _ends(self, m, pes):
        """What a segment's last issue tells the sides; mistakes."""
        now, ends = self.issued[0], Signal()
        most = now.segment.synapses
        seen = [issued.issue.synapses for issued in self.issued]
        m.d.comb += [
            ends.eq(now.valid & now.issue.last),
            self.sb_used.valid.eq(ends), self.sb_used.side.eq(now.segment.sb_side),
            self.sb_used.ends.eq(now.segment.release_sb),
            self.bad_synapses.eq(ends & (Cat(n > most for n in seen).any()
                                         | ~Cat(n == most for n in seen).any())),
            self.bad_index.eq(Cat(pe.error for pe in pes).any()),
        ]

    def _own(self, m, issued):
        """Each lane's synapse's number in its segment: PE n's own is n."""
        cfg, out, first = self.cfg, [], Signal(self.cfg.target_bits)
        word = Signal(cfg.sb_addr_bits)
        word_bits = cfg.sb_word_bits.bit_length() - 1
        m.d.comb += [word.eq(issued.issue.word - issued.segment.sb_word),
                     first.eq((word << word_bits) >> issued.segment.width)]
        for n, lane in enumerate(issued.issue.lanes):
            number = Signal(cfg.target_bits, name=f"number_{n}")
            m.d.comb += number.eq(first + lane.offset)
            out.append(number)
        return out

    def _write(self, m, pes, past, bias):
        """A segment's sums to NBout: read a cycle before, written `LATENCY` after the issue."""
        cfg, reads, writes = self.cfg, past[LATENCY - 1], past[LATENCY]
        m.submodules.nbout = nbout = NBout(cfg)
        segment = writes.segment
        old = data.View(data.ArrayLayout(signed(cfg.acc_bits), cfg.tm), nbout.sums)
        sums = []
        for n, pe in enumerate(pes):
            begins = Mux(segment.book_side, bias[1][n], bias[0][n])
            total = Signal(signed(cfg.acc_bits), name=f"sum_{n}")
            m.d.comb += total.eq(pe.total + Mux(segment.begin, begins, old[n]))
            sums.append(total)
        written = writes.valid & writes.issue.last
        m.d.comb += [
            nbout.read.en.eq(reads.valid & reads.issue.last),
            nbout.read.side.eq(reads.segment.nbout_side),
            nbout.read.vector.eq(reads.segment.vector),
            nbout.write.en.eq(written), nbout.write.side.eq(segment.nbout_side),
            nbout.write.vector.eq(segment.vector), nbout.write.data.eq(Cat(sums)),
            nbout.store.side.eq(self.store_side), nbout.store.vector.eq(self.store_vector),
            self.stored.eq(nbout.stored),
            self.filled.valid.eq(written), self.filled.side.eq(segment.nbout_side),
            self.filled.ends.eq(segment.publish),
            self.book_used.valid.eq(written), self.book_used.side.eq(segment.book_side),
            self.book_used.ends.eq(segment.release_book),
        ]
