# Ref: Yu et al., "Multiply-and-Fire", Sections 4.2 and 5.2.3: fire module, activation module.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.numeric import round_shift_half_even

from .drain import Drain, drain_members
from .fields import SHIFT_BITS
from .layouts import bias_layout, fired_layout
from .pool import Pool


class Activation(wiring.Component):
    """Activation module: drains, adds the bias, requantises, applies ReLU, pools, fires.

    Value = saturate(round_half_even((sum + bias) · multiplier / 2^shift)) to ±``high``, raised to 0
    with ReLU; `Pool` makes the outputs of values. One fires if it is above the threshold, without
    ReLU also if it is below −threshold. ``end`` follows the last one.

    With ``start`` in cycle t and used ≥ 4, n sums (surplus ones too) and no stall, ``end`` is
    offered in t + n + 14 (`Drain`: 5 to the first sum; nine stages: sum, bias, product, value, four
    of `Pool`, output).

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    As `drain_members`, ``done`` when ``end`` was taken, and

    bias : In(valid, bias_layout(cfg))
        A bias for the next drain, by channel of the pass: there are two sides, and ``start`` turns
        them.
    o : Out(stream.Signature(fired_layout(cfg)))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__(drain_members(cfg) | {
            "bias": In(data.StructLayout({"valid": 1, "bias": bias_layout(cfg)})),
            "o": Out(stream.Signature(fired_layout(cfg))),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, setting = self.cfg, self.setting
        m.submodules.drain = drain = Drain(cfg)
        m.submodules.pool = pool = Pool(cfg)
        advance = Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready), drain.advance.eq(advance),
            drain.setting.eq(setting), drain.start.eq(self.start),
            drain.row_valid.eq(self.row_valid),
            pool.setting.eq(setting), pool.start.eq(self.start), pool.advance.eq(advance),
        ]
        m.d.comb += [drain.row[n].eq(self.row[n]) for n in range(cfg.lanes)]
        wiring.connect(m, drain.drain, wiring.flipped(self.drain))

        tag = [Signal(drain.o.shape(), name=f"tag_{n}") for n in range(4)]
        total = Signal(signed(cfg.acc_bits))
        scaled = Signal(signed(cfg.acc_bits + len(setting.multiplier) + 1))
        bias = self._bias(m, drain.o.index, advance)
        with m.If(advance):
            m.d.sync += [tag[0].eq(drain.o), *(tag[n].eq(tag[n - 1]) for n in (1, 2, 3)),
                         total.eq(tag[0].sum + bias), scaled.eq(total * setting.multiplier),
                         pool.value.eq(self._requantise(m, scaled))]
        m.d.comb += [
            pool.i.eq(tag[3]),
            self.done.eq(drain.done & ~self.o.valid & pool.idle
                         & ~Cat(stage.valid for stage in tag).any()),
        ]
        self._fire(m, pool.o, advance)
        return m

    def _bias(self, m, index, advance):
        """The bias beside tag_0."""
        size = 1 << (self.cfg.bias_words - 1).bit_length()
        m.submodules.biases = memory = Memory(
            shape=signed(self.cfg.acc_bits), depth=2 * size, init=[])
        write, read, side = memory.write_port(), memory.read_port(), Signal()
        with m.If(self.start):
            m.d.sync += side.eq(~side)
        bias = self.bias.bias
        m.d.comb += [write.en.eq(self.bias.valid), write.data.eq(bias.value),
                     write.addr.eq(Mux(side, size, 0) | bias.address),
                     read.addr.eq(Mux(side, 0, size) | index), read.en.eq(advance)]
        return read.data

    def _requantise(self, m, scaled):
        """Rounded, saturated, ReLU."""
        cfg, setting = self.cfg, self.setting
        rounded = round_shift_half_even(scaled, setting.shift, (1 << SHIFT_BITS) - 1, m=m)
        high, low = Signal(signed(cfg.data_bits)), Signal(signed(cfg.data_bits))
        m.d.comb += [high.eq(setting.high), low.eq(Mux(setting.relu, 0, ~high))]
        return Mux(rounded > high, high, Mux(rounded < low, low, rounded))

    def _fire(self, m, output, advance):
        setting, value = self.setting, output.value
        below = (value < -setting.threshold) & ~setting.relu
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(output.valid & (output.end | (value > setting.threshold) | below)),
                self.o.p.end.eq(output.end), self.o.p.value.eq(value),
                self.o.p.channel.eq(output.channel), self.o.p.y.eq(output.y),
                self.o.p.x.eq(output.x)]
