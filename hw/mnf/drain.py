# Ref: Yu et al., "Multiply-and-Fire", Section 5.2.3: sums out of the MAC cluster, at the end.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.select import select

from .layouts import drain_layout


def drain_members(cfg):
    """The side of a drain that is turned to the PE, of `Drain` and `Activation` alike.

    setting : held until ``done``
    start : a drain begins
    done : nothing was started, or all is out
    drain : to the MAC cluster, the entry whose row is wanted
    row, row_valid : from it, two cycles later
    """
    return {
        "setting": In(drain_layout(cfg)),
        "start": In(1),
        "done": Out(1),
        "drain": Out(stream.Signature(cfg.entry_bits)),
        "row": In(signed(cfg.acc_bits)).array(cfg.lanes),
        "row_valid": In(1),
    }


def sum_layout(cfg):
    """A drained sum and its place."""
    return data.StructLayout({
        "valid": 1, "end": 1, "sum": signed(cfg.acc_bits),
        "there": 1, "inside": 1,        # its channel exists; so do its row and column
        "index": range(cfg.bias_words), "channel": cfg.channel_bits, "kk": range(cfg.lanes),
        "y": cfg.coord_bits, "x": cfg.coord_bits,
        "top": 1, "left": 1,            # in the band's first row, in the first column
        "last_kk": 1, "last_x": 1, "last": 1})      # of its neuron, of its row, of its group


class Drain(wiring.Component):
    """Reads the sums of a pass out of the MAC cluster: rows of all banks, then one by one.

    A row is asked for while the one before is worked through: it takes a cycle from the MACs, and
    the sums come one per cycle if a row has four or more. Sums of the pitch's surplus columns, of
    surplus rows and of the last entry's rest come too, not ``inside``, and those of channels that
    do not exist, not ``there``.

    Order: groups of kl channels; in each the neurons; for each neuron its kl channels.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    As `drain_members`, and

    advance : In(1)
        ``o`` may move on in this cycle.
    o : Out(sum_layout(cfg))
        The sum; its channel in the pass (``index``) and in the layer, its place in its neuron, its
        row and column in the band; ``end`` after the last sum, with nothing else.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__(drain_members(cfg) | {"advance": In(1), "o": Out(sum_layout(cfg))})

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
                self.o.there.eq(index < setting.channels),
                self.o.inside.eq((x < setting.cols) & (y < setting.rows)),
                self.o.channel.eq(setting.first_channel + index), self.o.kk.eq(kk),
                self.o.y.eq(y), self.o.x.eq(x), self.o.top.eq(y == 0), self.o.left.eq(x == 0),
                self.o.last_kk.eq(kk + 1 == setting.kl),
                self.o.last_x.eq(x + 1 == setting.pitch),
                self.o.last.eq(leave & (entries == 1))]
        return (entries == 1) & (groups == 1)
