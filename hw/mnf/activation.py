# Ref: Yu et al., "Multiply-and-Fire", Sections 4.2 and 5.2.3: fire module, activation module.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.numeric import round_shift_half_even
from hw.common.select import select

from .fields import SHIFT_BITS
from .layouts import bias_layout, drain_layout, fired_layout


class Drain(wiring.Component):
    """Reads the sums of a pass out of the MAC cluster: rows of all banks, then one by one.

    A row is asked for while the one before is worked through: it takes a cycle from the MACs, and
    the sums come one per cycle if a row has four or more. Sums of the pitch's surplus columns, of
    the last entry's surplus and of channels that are not there come too, not ``real``.

    Order: groups of kl channels; in each the neurons; for each neuron its kl channels.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    setting : In(drain_layout(cfg))
        Held until ``done``.
    start : In(1)
    done : Out(1)
        Nothing was started, or the last sum is out.
    drain : Out(stream.Signature(entry_bits))
        To the MAC cluster.
    row, row_valid : In
        From it, two cycles later.
    advance : In(1)
        ``o`` may move on in this cycle.
    o : Out
        The sum; its channel in the pass and in the layer, its row and column in the layer's
        output; ``end`` after the last sum, with nothing else.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "setting": In(drain_layout(cfg)),
            "start": In(1),
            "done": Out(1),
            "drain": Out(stream.Signature(cfg.entry_bits)),
            "row": In(signed(cfg.acc_bits)).array(cfg.lanes),
            "row_valid": In(1),
            "advance": In(1),
            "o": Out(data.StructLayout({
                "valid": 1, "real": 1, "end": 1, "sum": signed(cfg.acc_bits),
                "index": range(cfg.bias_words), "channel": cfg.channel_bits, "y": cfg.coord_bits,
                "x": cfg.coord_bits})),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, setting = self.cfg, self.setting
        busy, ending = Signal(), Signal()       # sums to come; only the end to come
        ahead, rows = (Signal(data.ArrayLayout(signed(cfg.acc_bits), cfg.lanes), name=name)
                       for name in ("ahead", "sums"))
        ahead_valid, valid = Signal(), Signal()
        lane = Signal(range(cfg.lanes))
        last_lane, leave = Signal(), Signal()
        m.d.comb += [
            last_lane.eq(lane + 1 == setting.used),
            leave.eq(valid & self.advance & last_lane),
            self.done.eq(~busy & ~ending),
        ]
        with m.If(self.row_valid):
            m.d.sync += [ahead_valid.eq(1), Value.cast(ahead).eq(Cat(self.row))]
        with m.If(ahead_valid & (~valid | leave)):
            m.d.sync += [ahead_valid.eq(0), valid.eq(1), rows.eq(ahead), lane.eq(0)]
        with m.Elif(leave):
            m.d.sync += valid.eq(0)
        with m.Elif(valid & self.advance):
            m.d.sync += lane.eq(lane + 1)
        self._ask(m, ahead_valid)
        last = self._place(m, valid & self.advance, leave, lane, select(rows, lane), valid)
        with m.If(self.start):
            m.d.sync += busy.eq(1)
        with m.If(leave & last):
            m.d.sync += [busy.eq(0), ending.eq(1)]
        with m.If(ending & self.advance):
            m.d.sync += ending.eq(0)
        with m.If(ending):
            m.d.comb += [self.o.valid.eq(1), self.o.end.eq(1)]
        return m

    def _ask(self, m, ahead_valid):
        """Asks for a row when none waits and none is on its way."""
        setting = self.setting
        asking, coming = Signal(), Signal()
        left = Signal(len(setting.stretch))
        groups = Signal(len(setting.groups))
        m.d.comb += self.drain.valid.eq(asking & ~coming & ~ahead_valid)
        with m.If(self.row_valid):
            m.d.sync += coming.eq(0)
        with m.If(self.start):
            m.d.sync += [asking.eq(1), self.drain.payload.eq(setting.first),
                         left.eq(setting.stretch), groups.eq(setting.groups)]
        with m.Elif(self.drain.valid & self.drain.ready):
            m.d.sync += [coming.eq(1), self.drain.payload.eq(self.drain.payload + 1),
                         left.eq(left - 1)]
            with m.If(left == 1):
                m.d.sync += [left.eq(setting.stretch), groups.eq(groups - 1),
                             asking.eq(groups != 1)]

    def _place(self, m, step, leave, lane, value, valid):
        """Counts neurons and channels; returns whether this row is the last one."""
        cfg, setting = self.cfg, self.setting
        kk, x, y = Signal(range(cfg.lanes)), Signal(cfg.neuron_bits), Signal(cfg.neuron_bits)
        base = Signal(range(cfg.bias_words + cfg.lanes))
        entries, groups = Signal(len(setting.stretch)), Signal(len(setting.groups))
        index = Signal(range(cfg.bias_words + 2 * cfg.lanes))
        m.d.comb += index.eq(base + kk)
        with m.If(self.start):
            m.d.sync += [kk.eq(0), x.eq(0), y.eq(0), base.eq(0), entries.eq(setting.stretch),
                         groups.eq(setting.groups)]
        with m.Elif(step):
            m.d.sync += kk.eq(kk + 1)
            with m.If(kk + 1 == setting.kl):
                m.d.sync += [kk.eq(0), x.eq(x + 1)]
                with m.If(x + 1 == setting.pitch):
                    m.d.sync += [x.eq(0), y.eq(y + 1)]
            with m.If(leave):
                m.d.sync += entries.eq(entries - 1)
                with m.If(entries == 1):
                    m.d.sync += [x.eq(0), y.eq(0), base.eq(base + setting.kl),
                                 entries.eq(setting.stretch), groups.eq(groups - 1)]
        with m.If(valid):
            m.d.comb += [
                self.o.valid.eq(1), self.o.sum.eq(value), self.o.index.eq(index),
                self.o.real.eq((x < setting.cols) & (y < setting.rows)
                               & (index < setting.channels)),
                self.o.channel.eq(setting.first_channel + index),
                self.o.y.eq(setting.first_row + y), self.o.x.eq(x)]
        return (entries == 1) & (groups == 1)


class Activation(wiring.Component):
    """Activation module without pooling: drains, adds the bias, requantises, applies ReLU, fires.

    Output = saturate(round_half_even((sum + bias) · multiplier / 2^shift)) to ±``high``, raised to
    0 with ReLU. It fires if it is above the threshold, without ReLU also if it is below
    −threshold. ``end`` follows the last one.

    With ``start`` in cycle t and used ≥ 4, n sums (surplus ones too) and no stall, ``end`` is
    offered in t + n + 9 (`Drain`: 5 to the first sum; four stages: sum, bias, product, output).

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    setting, start, done, drain, row, row_valid
        As `Drain`; ``done`` when ``end`` was taken.
    bias : In(valid, bias_layout(cfg))
        A bias for the next drain, by channel of the pass: there are two sides, and ``start`` turns
        them.
    o : Out(stream.Signature(fired_layout(cfg)))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "setting": In(drain_layout(cfg)),
            "start": In(1),
            "done": Out(1),
            "drain": Out(stream.Signature(cfg.entry_bits)),
            "row": In(signed(cfg.acc_bits)).array(cfg.lanes),
            "row_valid": In(1),
            "bias": In(data.StructLayout({"valid": 1, "bias": bias_layout(cfg)})),
            "o": Out(stream.Signature(fired_layout(cfg))),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, setting = self.cfg, self.setting
        m.submodules.drain = drain = Drain(cfg)
        advance = Signal()
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready), drain.advance.eq(advance),
            drain.setting.eq(setting), drain.start.eq(self.start),
            drain.row_valid.eq(self.row_valid),
        ]
        m.d.comb += [drain.row[n].eq(self.row[n]) for n in range(cfg.lanes)]
        wiring.connect(m, drain.drain, wiring.flipped(self.drain))

        tag = [Signal(drain.o.shape(), name=f"tag_{n}") for n in range(3)]
        total = Signal(signed(cfg.acc_bits))
        scaled = Signal(signed(cfg.acc_bits + len(setting.multiplier) + 1))
        bias = self._bias(m, drain.o.index, advance)
        with m.If(advance):
            m.d.sync += [tag[0].eq(drain.o), tag[1].eq(tag[0]), tag[2].eq(tag[1]),
                         total.eq(tag[0].sum + bias), scaled.eq(total * setting.multiplier)]
        self._fire(m, tag[2], self._requantise(m, scaled), advance)
        m.d.comb += self.done.eq(drain.done & ~self.o.valid
                                 & ~Cat(stage.valid for stage in tag).any())
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

    def _fire(self, m, tag, value, advance):
        cfg, setting = self.cfg, self.setting
        result, fires = Signal(signed(cfg.data_bits)), Signal()
        below = (result < -setting.threshold) & ~setting.relu
        m.d.comb += [result.eq(value),
                     fires.eq(tag.valid & (tag.end | (
                         tag.real & ((result > setting.threshold) | below))))]
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(fires), self.o.p.end.eq(tag.end), self.o.p.value.eq(result),
                self.o.p.channel.eq(tag.channel), self.o.p.y.eq(tag.y), self.o.p.x.eq(tag.x)]
