# Ref: Yu et al., "Multiply-and-Fire", Section 5.2.3: load module; Algorithms 1 and 2.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .fields import reciprocal_shift
from .layouts import input_layout, load_layout, vector_layout


def load_members(cfg):
    return {
        "setting": In(load_layout(cfg)),
        "i": In(stream.Signature(input_layout(cfg))),
        "o": Out(stream.Signature(vector_layout(cfg))),
        "read": Out(1),
        "address": Out(cfg.weight_bits),
        "idle": Out(1),
        "bad": Out(1),
    }


class Load(wiring.Component):
    """Load module: turns an event into addresses of weights and of neurons.

    Per event it walks groups of output channels and, within each, the tiles of the sub-filter
    that the event reaches: one vector per cycle, without a gap between events. The weights'
    address goes to the weight SRAM in the cycle before its vector is offered, so that ``o`` and
    the SRAM's data come together; while ``o`` waits nothing is read. The end of the data makes one
    vector, with ``end``, and reads nothing.

    Latency: an event taken in cycle t is read for from t + 4 on and its first vector offered in
    t + 5: the stages DECODE, ORIGIN, DIVIDE, the walk, and the SRAM.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    setting : In(load_layout(cfg))
        Held while there are events.
    i : In(stream.Signature(input_layout(cfg)))
    o : Out(stream.Signature(vector_layout(cfg)))
    read, address : Out(1), Out(weight_bits)
        To the weight SRAM.
    idle : Out(1)
        No event is inside.
    bad : Out(1)
        The event that leaves DECODE in this cycle reaches taps, weights or neurons that the pass
        does not have.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        self.place_bits, self.places = cfg.weight_bits, cfg.weight_words    # what events address
        super().__init__(load_members(cfg))

    def elaborate(self, platform):
        m = Module()
        stages = ("decode", "origin", "divide", "walk")
        valid = [Signal(name=f"{name}_valid") for name in stages]
        load = [Signal(name=f"{name}_load") for name in stages]     # takes a word, if there is one
        finish, advance = Signal(), Signal()
        m.d.comb += [self.i.ready.eq(load[0]), self.idle.eq(~Cat(valid, self.o.valid).any())]
        for n, before in enumerate((self.i.valid, *valid[:3])):
            m.d.comb += load[n].eq(~valid[n] | (load[n + 1] if n < 3 else finish))
            with m.If(load[n]):
                m.d.sync += valid[n].eq(before)

        decoded = self._decode(m, load[0])
        self._check(m, valid[0] & load[1] & ~decoded.input.end, decoded.input.event)
        placed = self._origin(m, load[1], decoded)
        divided = self._divide(m, load[2], placed)
        self._walk(m, load[3], divided, valid[3], finish, advance)
        return m

    def _decode(self, m, load):
        """Flipped taps, cut into tiles and places within a tile."""
        cfg, setting, event = self.cfg, self.setting, self.i.p.event
        axis = data.StructLayout({"tile": cfg.tap_bits, "place": cfg.tap_bits,
                                  "more": cfg.tap_bits, "end": cfg.tap_bits})
        stage = Signal(data.StructLayout({"input": input_layout(cfg), "y": axis, "x": axis}))
        with m.If(load):
            m.d.sync += stage.input.eq(self.i.payload)
        for name, taps, tap, jump, side in (
                ("y", setting.tap_rows, event.tap_row, event.y_jump, setting.pr),
                ("x", setting.tap_cols, event.tap_col, event.x_jump, setting.pc)):
            first, last = Signal(cfg.tap_bits, name=f"first_{name}"), Signal(cfg.tap_bits,
                                                                            name=f"last_{name}")
            m.d.comb += [first.eq(taps - tap), last.eq(first + jump)]
            tile, place = self._by_side(m, first, side, f"first_{name}")
            last_tile, last_place = self._by_side(m, last, side, f"last_{name}")
            with m.If(load):
                m.d.sync += [stage[name].tile.eq(tile), stage[name].place.eq(place),
                             stage[name].more.eq(last_tile - tile), stage[name].end.eq(last_place)]
        return stage

    def _check(self, m, leaves, event):
        """Jumps walk taps down, neurons and words up: both ends must exist."""
        cfg, setting = self.cfg, self.setting
        words = Signal(cfg.channel_bits + len(setting.words) + 1)
        last, limit = Signal(2 * cfg.neuron_bits), Signal(2 * cfg.neuron_bits)
        m.d.comb += [
            words.eq(event.channel * setting.words + setting.words),
            last.eq(event.neuron + event.y_jump * setting.pitch + event.x_jump),
            limit.eq(setting.stretch * setting.positions),
            self.bad.eq(leaves & (
                (event.tap_row > setting.tap_rows) | (event.tap_col > setting.tap_cols)
                | (event.y_jump > event.tap_row) | (event.x_jump > event.tap_col)
                | (words > self.places) | (last >= limit)))]

    def _by_side(self, m, value, side, name):
        """value div side, value mod side: both are small, the table is one of constants."""
        cfg = self.cfg
        tile, place = (Signal(cfg.tap_bits, name=f"{name}_{part}") for part in ("tile", "place"))
        with m.Switch(side):
            for size in range(1, cfg.max_window + 1):
                with m.Case(size):
                    m.d.comb += [
                        tile.eq(Array(v // size for v in range(1 << cfg.tap_bits))[value]),
                        place.eq(Array(v % size for v in range(1 << cfg.tap_bits))[value])]
        return tile, place

    def _origin(self, m, load, before):
        """The first tile's origin and word."""
        cfg, setting = self.cfg, self.setting
        stage = Signal(data.StructLayout({
            "before": before.shape(), "origin": cfg.neuron_bits + 1, "weight": self.place_bits}))
        event = before.input.event
        with m.If(load):
            m.d.sync += [
                stage.before.eq(before),
                stage.origin.eq(event.neuron + setting.back - before.x.place
                                - before.y.place * setting.pitch),
                stage.weight.eq(event.channel * setting.words + setting.tiles - 1 - before.x.tile
                                - before.y.tile * setting.tiles_across),
            ]
        return stage

    def _divide(self, m, load, before):
        """The origin as an entry and a rotation."""
        cfg, setting = self.cfg, self.setting
        quotient = Signal(cfg.neuron_bits + 1)
        stage = Signal(data.StructLayout({
            "before": before.shape(), "entry": cfg.entry_bits, "rotation": range(cfg.lanes)}))
        m.d.comb += quotient.eq((before.origin * setting.reciprocal) >> reciprocal_shift(cfg))
        with m.If(load):
            m.d.sync += [stage.before.eq(before), stage.entry.eq(quotient + setting.base),
                         stage.rotation.eq(before.origin - quotient * setting.positions)]
        return stage

    def _walk(self, m, load, start, valid, finish, advance):
        cfg, setting = self.cfg, self.setting
        place = data.StructLayout({"weight": cfg.weight_bits, "entry": cfg.entry_bits,
                                   "rotation": range(cfg.lanes)})
        now, row, group = (Signal(place, name=n) for n in ("now", "row", "group"))
        event = Signal(start.before.before.shape())     # the one that is walked
        right, down = Signal(cfg.tap_bits), Signal(cfg.tap_bits)        # tiles still to come
        groups = Signal(range(cfg.acc_entries + 1))
        m.d.comb += [advance.eq(valid & (~self.o.valid | self.o.ready)),
                     self.read.eq(advance & ~event.input.end), self.address.eq(now.weight)]

        last = event.input.end | (~right.any() & ~down.any() & (groups == 1))
        m.d.comb += finish.eq(advance & last)
        entry, rotation = self._step(m, now, setting.across_entry, setting.across_rotation, "right")
        below, turned = self._step(m, row, setting.down_entry, setting.down_rotation, "down")
        with m.If(load):
            origin = Cat(start.before.weight, start.entry, start.rotation)
            first = start.before.before
            m.d.sync += [Value.cast(p).eq(origin) for p in (now, row, group)]
            m.d.sync += [event.eq(first), right.eq(first.x.more), down.eq(first.y.more),
                         groups.eq(setting.groups)]
        with m.Elif(advance):
            with m.If(right.any()):
                m.d.sync += [right.eq(right - 1), now.weight.eq(now.weight - 1),
                             now.entry.eq(entry), now.rotation.eq(rotation)]
            with m.Elif(down.any()):
                next_row = Signal(place)
                m.d.comb += [next_row.weight.eq(row.weight - setting.tiles_across),
                             next_row.entry.eq(below), next_row.rotation.eq(turned)]
                m.d.sync += [down.eq(down - 1), right.eq(event.x.more), now.eq(next_row),
                             row.eq(next_row)]
            with m.Else():
                next_group = Signal(place)
                m.d.comb += [next_group.weight.eq(group.weight + setting.tiles),
                             next_group.entry.eq(group.entry + setting.stretch),
                             next_group.rotation.eq(group.rotation)]
                m.d.sync += [groups.eq(groups - 1), right.eq(event.x.more), down.eq(event.y.more)]
                m.d.sync += [p.eq(next_group) for p in (now, row, group)]
        self._offer(m, advance, event, now, right, down)

    def _step(self, m, place, entries, rotation, name):
        """A place some positions further on: (entry, rotation)."""
        turned = Signal(range(2 * self.cfg.lanes), name=f"{name}_turned")
        wraps = Signal(name=f"{name}_wraps")
        m.d.comb += [turned.eq(place.rotation + rotation),
                     wraps.eq(turned >= self.setting.positions)]
        return (place.entry + entries + wraps,
                Mux(wraps, turned - self.setting.positions, turned))

    def _offer(self, m, advance, event, now, right, down):
        """The vector beside the SRAM's output register."""
        vector = self.o.p
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(advance):
            m.d.sync += [
                self.o.valid.eq(1), vector.end.eq(event.input.end),
                vector.value.eq(event.input.event.value), vector.entry.eq(now.entry),
                vector.rotation.eq(now.rotation)]
            m.d.sync += [vector.rows.eq(self._mask(event.y, down, self.setting.pr)),
                         vector.cols.eq(self._mask(event.x, right, self.setting.pc))]

    def _mask(self, axis, more, side):
        """Which rows or columns of the window a tile reaches, `more` being those behind it."""
        bits = []
        for n in range(self.cfg.max_window):
            starts = (more != axis.more) | (axis.place <= n)
            ends = more.any() | (axis.end >= n)
            bits.append(starts & ends & (side > n))
        return Cat(bits)
