# Ref: Yang et al., "S2 Engine", section 4.3, Figs 6 and 7: dynamic selection.
from functools import cached_property

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.stationary.layouts import feature_layout, weight_layout
from hw.common.stream.fifo import FIFO

from .config import VALUE_BITS
from .layouts import pair_layout


class Flow(wiring.Component):
    """A flow through a DS: its FIFO, the register behind it, and the way on to the neighbour.

    A *push* moves the head of the FIFO into the register and to the neighbour in the same cycle,
    before the DS compares it. It needs a word, the neighbour's room, and the register empty or
    consumed in this cycle.

    Parameters
    ----------
    shape : data.StructLayout
        A token.
    depth : int

    Members
    -------
    i, o : In, Out(stream.Signature(shape))
        From one neighbour and to the other one.
    token : Out(shape)
        The register; ``valid`` if it holds a token. It keeps a consumed one's fields.
    low, high : Out(1)
        The token is the low or the high half of a 16-bit value.
    consume : In(1)
    """

    def __init__(self, shape, depth):
        self.shape, self.depth = shape, depth
        super().__init__({
            "i": In(stream.Signature(shape)),
            "o": Out(stream.Signature(shape)),
            "token": Out(shape),
            "valid": Out(1),
            "low": Out(1),
            "high": Out(1),
            "consume": In(1),
        })

    @cached_property
    def fifo(self):
        """W-FIFO or F-FIFO. Made at first use, as are the parts of `DS`, for proofs to see."""
        return FIFO(self.shape, self.depth)

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = self.fifo
        wiring.connect(m, wiring.flipped(self.i), fifo.i)
        free, push = Signal(), Signal()
        m.d.comb += [
            free.eq(~self.valid | self.consume),
            self.o.valid.eq(fifo.o.valid & free), self.o.payload.eq(fifo.o.payload),
            fifo.o.ready.eq(self.o.ready & free),
            push.eq(self.o.valid & self.o.ready),
        ]
        with m.If(push):
            m.d.sync += [self.token.eq(fifo.o.payload), self.valid.eq(1)]
        with m.Elif(self.consume):
            m.d.sync += self.valid.eq(0)
        if "tag" in self.shape.members:
            m.d.comb += self.low.eq(self.token.tag & ~self.high)
            with m.If(push):
                m.d.sync += self.high.eq(fifo.o.p.tag & self.low)
        return m


class DS(wiring.Component):
    """Dynamic selection: finds the pairs of equal offsets in two compressed flows.

    A step compares the two registers, consumes one token or both, and may make an entry of
    WF-FIFO. It needs both tokens, and room in WF-FIFO if it makes an entry. One step per cycle.

    A group of the offsets W and F takes ``|W ∪ F|`` steps, less one if the last offsets differ and
    the smaller of them is not in the other flow. A pair of 16-bit values takes four.

    Parameters
    ----------
    cfg : S2Config

    Members
    -------
    w_i, w_o : In, Out(stream.Signature(weight_layout(cfg)))
    f_i, f_o : In, Out(stream.Signature(feature_layout(cfg)))
    pair : Out(stream.Signature(pair_layout(cfg)))
        The head of WF-FIFO.
    multiply, select : Out(1)
        There is a step in this cycle that makes a pair, or one that does not.
    w_valid, f_valid : Out(1)
        The registers hold tokens.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        weights = stream.Signature(weight_layout(cfg))
        features = stream.Signature(feature_layout(cfg))
        super().__init__({
            "w_i": In(weights),
            "w_o": Out(weights),
            "f_i": In(features),
            "f_o": Out(features),
            "pair": Out(stream.Signature(pair_layout(cfg))),
            "multiply": Out(1),
            "select": Out(1),
            "w_valid": Out(1),
            "f_valid": Out(1),
        })

    @cached_property
    def flows(self):
        """Of weights, of features."""
        return (Flow(weight_layout(self.cfg), self.cfg.w_depth),
                Flow(feature_layout(self.cfg), self.cfg.f_depth))

    @cached_property
    def wf_fifo(self):
        """WF-FIFO."""
        return FIFO(pair_layout(self.cfg), self.cfg.wf_depth)

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        w, f = m.submodules.w, m.submodules.f = self.flows
        m.submodules.wf_fifo = wf_fifo = self.wf_fifo
        for inside, outside in ((w.i, self.w_i), (w.o, self.w_o), (f.i, self.f_i), (f.o, self.f_o),
                                (wf_fifo.o, self.pair)):
            wiring.connect(m, inside, wiring.flipped(outside))

        # Equal offsets; the third product of four comes in this step; the fourth one.
        same, four, cross = Signal(), Signal(), Signal()
        want_w, want_f, final = Signal(), Signal(), Signal()
        m.d.comb += [
            same.eq(w.token.offset == f.token.offset),
            four.eq(same & w.high & f.high & ~cross),
            final.eq(w.token.eog & f.token.eog & ~four),
        ]
        with m.If(same & f.low):
            m.d.comb += want_f.eq(1)
        with m.Elif(same & w.low):
            m.d.comb += want_w.eq(1)
        with m.Elif(~four):
            m.d.comb += [
                want_w.eq(final | (~w.token.eog
                                   & (f.token.eog | (w.token.offset <= f.token.offset)))),
                want_f.eq(final | (~f.token.eog
                                   & (w.token.eog | (f.token.offset <= w.token.offset)))),
            ]
        step = Signal()
        self._emit(m, w, f, cross, same, final, wf_fifo.i, step)
        m.d.comb += [w.consume.eq(step & want_w), f.consume.eq(step & want_f),
                     self.w_valid.eq(w.valid), self.f_valid.eq(f.valid)]
        if cfg.mixed:
            with m.If(step):
                m.d.sync += cross.eq(four)
        return m

    def _emit(self, m, w, f, cross, same, final, out, step):
        """The entry that this step makes, if any, and whether the step takes place."""
        cfg, entry, pair, emits = self.cfg, out.p, Signal(), Signal()
        operands = []
        f_low = Signal(VALUE_BITS)          # of the 16-bit feature whose high half `f` is
        if cfg.mixed:
            with m.If(f.consume & f.low):
                m.d.sync += f_low.eq(f.token.value)
        value = Mux(cross, f_low, f.token.value)
        for byte, low in ((w.token.value, w.low), (value, f.low | cross)):
            operands.append(Signal(signed(cfg.operand_bits), name=f"operand_{len(operands)}"))
            sign = (byte[-1] & ~low,) if cfg.mixed else ()
            m.d.comb += operands[-1].eq(Cat(byte, *sign).as_signed())
        m.d.comb += [
            pair.eq(same & operands[0].any() & operands[1].any()),
            entry.w.eq(Mux(pair, operands[0], 0)), entry.f.eq(Mux(pair, operands[1], 0)),
            entry.pair.eq(pair), entry.last.eq(final & w.token.eok),
            emits.eq(pair | entry.last),
            step.eq(w.valid & f.valid & (out.ready | ~emits)),
            out.valid.eq(w.valid & f.valid & emits),
            self.multiply.eq(step & pair), self.select.eq(step & ~pair),
        ]
        if cfg.mixed:
            m.d.comb += entry.highs.eq(Mux(pair, w.high + (f.high & ~cross), 0))
