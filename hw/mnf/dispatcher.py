# Ref: Yu et al., "Multiply-and-Fire", Section 5.2.3, Fig. 6: dispatcher module.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import dispatch_layout, operands_layout, work_layout


class Dispatcher(wiring.Component):
    """Dispatcher module: groups input, weight and neuron address, sends each to its MAC.

    The pitch sees to it that a window's neurons lie in different banks, in the order of the
    weights, turned by the origin's bank: so the crossbar of Fig. 6 is a rotation. Two stages: the
    slots' enables and weights; the turn.

    Throughput: one vector per cycle. Latency: two cycles.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    setting : In(dispatch_layout(cfg))
        Held while there are vectors.
    i : In(stream.Signature(work_layout(cfg)))
    o : Out(stream.Signature(operands_layout(cfg)))
    idle : Out(1)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "setting": In(dispatch_layout(cfg)),
            "i": In(stream.Signature(work_layout(cfg))),
            "o": Out(stream.Signature(operands_layout(cfg))),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, vector = self.cfg, self.i.p.vector
        slot = data.StructLayout({"enable": 1, "step": cfg.entry_bits, "weight": cfg.data_bits})
        stage = Signal(data.StructLayout({
            "end": 1, "value": signed(cfg.data_bits), "entry": cfg.entry_bits,
            "turn": range(cfg.lanes + 1), "slots": data.ArrayLayout(slot, cfg.lanes)}))
        full, move = Signal(), Signal()
        m.d.comb += [self.i.ready.eq(~full | move), move.eq(~self.o.valid | self.o.ready),
                     self.idle.eq(~full & ~self.o.valid)]
        with m.If(self.i.ready):
            m.d.sync += [
                full.eq(self.i.valid), stage.end.eq(vector.end), stage.value.eq(vector.value),
                stage.entry.eq(vector.entry), stage.turn.eq(vector.rotation * self.setting.kl)]
            for n in range(cfg.lanes):
                at, own = self.setting.slots[n], stage.slots[n]
                word = self.i.p.weights.word_select(n, cfg.data_bits + cfg.weight_offset_bits)
                weight, step, used = word[:cfg.data_bits], at.step, at.used
                if cfg.weight_sparse:       # the weight's own group of channels; 0 is no weight
                    step = at.step + word[cfg.data_bits:] * self.setting.stretch
                    used = at.used & weight.any()
                m.d.sync += [
                    own.enable.eq(used & vector.rows.bit_select(at.row, 1)
                                  & vector.cols.bit_select(at.col, 1) & ~vector.end),
                    own.step.eq(step), own.weight.eq(weight)]
        turned = self._turn(m, [Value.cast(stage.slots[n]) for n in range(cfg.lanes)], stage.turn)
        with m.If(move):
            m.d.sync += [self.o.valid.eq(full), self.o.p.end.eq(stage.end),
                         self.o.p.value.eq(stage.value)]
            for n in range(cfg.lanes):
                own, lane = slot(turned[n]), self.o.p.lanes[n]
                wrapped = n < stage.turn
                m.d.sync += [lane.enable.eq(own.enable & (n < self.setting.used)),
                             lane.weight.eq(own.weight.as_signed()),
                             lane.entry.eq(stage.entry + own.step + wrapped)]
        return m

    def _turn(self, m, words, turn):
        """Lane l gets word (l − turn) mod used, of a ring of `used` lanes: two shifts, merged."""
        back = Signal(range(self.cfg.lanes + 1))
        m.d.comb += back.eq(self.setting.used - turn)
        up = self._shift(m, words, turn, 1, "up")
        down = self._shift(m, words, back, -1, "down")
        return [Mux(n < turn, down[n], up[n]) for n in range(len(words))]

    def _shift(self, m, words, by, sign, name):
        """Lane l gets word l − sign · by, or zeros."""
        for bit in range(len(by)):
            moved = []
            for n in range(len(words)):
                source = n - sign * (1 << bit)
                other = words[source] if 0 <= source < len(words) else 0
                word = Signal(len(words[0]), name=f"{name}_{bit}_{n}")
                m.d.comb += word.eq(Mux(by[bit], other, words[n]))
                moved.append(word)
            words = moved
        return words
