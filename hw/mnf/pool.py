# Ref: Yu et al., "Multiply-and-Fire", Section 5.2.3: max-pooling in the activation module.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .drain import sum_layout
from .fields import POOL_SHIFT, POOL_SLOTS
from .layouts import drain_layout


class Windows(wiring.Component):
    """Where an axis' position lies in the windows that are open along it.

    Window w starts at w · step − before and belongs to slot w mod slots. A slot's place counts from
    the start of its window and turns after ``pool_period``.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    size, step, slots, period, before : In
        Of the setting.
    count : In
        Windows that there are.
    restart, advance : In(1)
        To position 0; to the next one.
    starts, inside, ends : Out(POOL_SLOTS)
        Per slot: its first cell is here; a cell of it; its last cell is here.
    done : Out(1)
        A window ends here that is one of ``count``.
    index : Out
        The window that ends next.
    """

    def __init__(self, cfg):
        fields = drain_layout(cfg)
        self.cfg = cfg
        super().__init__({
            **{name: In(fields[f"pool_{name}"].shape) for name in
               ("size", "step", "slots", "period")},
            "before": In(fields["pool_left"].shape), "count": In(cfg.coord_bits),
            "restart": In(1), "advance": In(1), "starts": Out(POOL_SLOTS),
            "inside": Out(POOL_SLOTS), "ends": Out(POOL_SLOTS), "done": Out(1),
            "index": Out(cfg.coord_bits)})

    def elaborate(self, platform):
        m = Module()
        for n in range(POOL_SLOTS):
            place = Signal(signed(8), name=f"place_{n}")
            mine = n < self.slots
            m.d.comb += [
                self.starts[n].eq(mine & (place == 0)),
                self.inside[n].eq(mine & (place >= 0) & (place < self.size)),
                self.ends[n].eq(mine & (place + 1 == self.size))]
            with m.If(self.restart):
                m.d.sync += place.eq(self.before - n * self.step)
            with m.Elif(self.advance):
                m.d.sync += place.eq(Mux(place + 1 == self.period, 0, place + 1))
        m.d.comb += self.done.eq(self.ends.any() & (self.index != self.count))
        with m.If(self.restart):
            m.d.sync += self.index.eq(0)
        with m.Elif(self.advance & self.done):
            m.d.sync += self.index.eq(self.index + 1)
        return m


class Pool(wiring.Component):
    """Max and average pooling, or none, of values in the drain's order.

    Separable: first along the row, a partial window per slot and channel abreast; what is complete
    goes on along the column, a partial window per slot, column and channel. So each value is read
    once, however many windows it belongs to. An average is rounded half to even.

    Throughput: a value per cycle. Latency: four steps of ``advance`` (row, column, quotient,
    rounding).

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    setting : In(drain_layout(cfg))
    start : In(1)
        Of the drain; no value is inside.
    advance : In(1)
    i : In(sum_layout(cfg)), value : In(signed(data_bits))
        Place and value.
    o : Out
        An output, its channel, row and column in the layer's; ``end`` as it came.
    idle : Out(1)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        self.part = signed(cfg.data_bits + 8)       # 225 cells at most
        super().__init__({
            "setting": In(drain_layout(cfg)),
            "start": In(1),
            "advance": In(1),
            "i": In(sum_layout(cfg)),
            "value": In(signed(cfg.data_bits)),
            "o": Out(self._layout(signed(cfg.data_bits))),
            "idle": Out(1),
        })

    def _layout(self, shape):
        cfg = self.cfg
        return data.StructLayout({"valid": 1, "end": 1, "value": shape,
                                  "channel": cfg.channel_bits, "y": cfg.coord_bits,
                                  "x": cfg.coord_bits})

    def elaborate(self, platform):
        m = Module()
        rows, cols = self._windows(m)
        row = self._along_row(m, rows, cols)
        column = self._along_column(m, row)
        rounding = self._average(m, column)
        m.d.comb += self.idle.eq(~(row.out.valid | column.valid | rounding.valid | self.o.valid))
        return m

    def _windows(self, m):
        """Both axes, at the value that is at the input."""
        setting, i = self.setting, self.i
        m.submodules.rows = rows = Windows(self.cfg)
        m.submodules.cols = cols = Windows(self.cfg)
        for axis, before, count in ((rows, setting.pool_top, setting.pool_rows),
                                    (cols, setting.pool_left, setting.pool_cols)):
            m.d.comb += [axis.before.eq(before), axis.count.eq(count),
                         *(getattr(axis, name).eq(setting[f"pool_{name}"])
                           for name in ("size", "step", "slots", "period"))]
        step, group = Signal(), Signal()
        m.d.comb += [
            step.eq(self.advance & i.valid & ~i.end & i.last_kk),
            group.eq(self.start | (self.advance & i.valid & ~i.end & i.last)),
            cols.restart.eq(group | (step & i.last_x)), cols.advance.eq(step),
            rows.restart.eq(group), rows.advance.eq(step & i.last_x),
        ]
        return rows, cols

    def _merge(self, m, name, old, fresh, axis, value):
        """The slots of a word with a value in it, and the slot that ends."""
        words = data.ArrayLayout(self.part, POOL_SLOTS)
        new, ended = Signal(words, name=f"{name}_new"), Signal(self.part, name=f"{name}_ended")
        largest = self.setting.pool == 1
        for n in range(POOL_SLOTS):
            begun = Signal(self.part, name=f"{name}_begun_{n}")
            m.d.comb += begun.eq(Mux(axis.starts[n] | fresh, Mux(largest, value, 0), old[n]))
            joined = Mux(largest, Mux(value > begun, value, begun), begun + value)
            m.d.comb += new[n].eq(Mux(axis.inside[n], joined, old[n]))
            with m.If(axis.ends[n]):
                m.d.comb += ended.eq(new[n])
        return new, ended

    def _along_row(self, m, rows, cols):
        cfg, setting, i = self.cfg, self.setting, self.i
        words = data.ArrayLayout(self.part, POOL_SLOTS)
        m.submodules.row_parts = memory = Memory(shape=words, depth=cfg.lanes, init=[])
        read, write = memory.read_port(domain="comb"), memory.write_port()
        value, pools, base = Signal(self.part), Signal(), Signal(range(cfg.pool_words))
        m.d.comb += [pools.eq(setting.pool != 0), read.addr.eq(i.kk), write.addr.eq(i.kk),
                     value.eq(self.value)]
        with m.If(~i.inside):       # beyond the edge
            m.d.comb += value.eq(Mux(setting.pool == 1, -(1 << cfg.data_bits - 1), 0))
        new, ended = self._merge(m, "row", read.data, i.left, cols, value)
        m.d.comb += [write.data.eq(new), write.en.eq(self.advance & i.valid & ~i.end)]
        with m.If(cols.restart):
            m.d.sync += base.eq(0)
        with m.Elif(cols.advance & cols.done):
            m.d.sync += base.eq(base + setting.kl)

        axis = data.StructLayout(dict.fromkeys(("starts", "inside", "ends"), POOL_SLOTS))
        stage = Signal(data.StructLayout({
            "out": self._layout(self.part), "pools": 1, "address": range(cfg.pool_words),
            "there": 1, "fresh": 1, "rows": axis, "done": 1}), name="row")
        self.address = Signal(range(cfg.pool_words))
        m.d.comb += self.address.eq(base + i.kk)
        with m.If(self.advance):
            m.d.sync += [
                stage.out.valid.eq(i.valid & (i.end | ~pools | cols.done)),
                stage.out.end.eq(i.end), stage.out.channel.eq(i.channel),
                stage.out.value.eq(Mux(pools & i.valid & ~i.end, ended, self.value)),
                stage.out.y.eq(setting.first_row + Mux(pools, rows.index, i.y)),
                stage.out.x.eq(Mux(pools, cols.index, i.x)),
                stage.pools.eq(pools), stage.address.eq(self.address), stage.fresh.eq(i.top),
                stage.there.eq(i.there & (pools | i.inside)), stage.done.eq(rows.done),
                *(stage.rows[name].eq(getattr(rows, name)) for name in axis.members)]
        return stage

    def _along_column(self, m, row):
        cfg = self.cfg
        words = data.ArrayLayout(self.part, POOL_SLOTS)
        m.submodules.column_parts = memory = Memory(shape=words, depth=cfg.pool_words, init=[])
        write = memory.write_port()
        read = memory.read_port(transparent_for=(write,))
        new, ended = self._merge(m, "column", read.data, row.fresh, row.rows, row.out.value)
        m.d.comb += [
            read.addr.eq(self.address), read.en.eq(self.advance), write.addr.eq(row.address),
            write.data.eq(new),
            write.en.eq(self.advance & row.out.valid & ~row.out.end & row.pools)]
        stage = Signal(self._layout(self.part), name="column")
        with m.If(self.advance):
            m.d.sync += [
                stage.eq(row.out),
                stage.valid.eq(row.out.valid & (row.out.end | (row.there & (
                    ~row.pools | row.done)))),
                stage.value.eq(Mux(row.pools & row.out.valid & ~row.out.end, ended,
                                   row.out.value))]
        return stage

    def _average(self, m, column):
        """|sum| div area and its remainder; then the rounding. Other values go through."""
        setting = self.setting
        size = len(column.value)
        magnitude, quotient = Signal(size), Signal(size)
        m.d.comb += [
            magnitude.eq(Mux(column.value < 0, -column.value, column.value)),
            quotient.eq((magnitude * setting.pool_reciprocal) >> POOL_SHIFT)]
        stage = Signal(self._layout(self.part), name="rounding")
        negative, whole, rest = Signal(), Signal(size), Signal(len(setting.pool_area))
        up, rounded = Signal(), Signal(size)
        double = rest << 1
        m.d.comb += [
            up.eq((double > setting.pool_area) | ((double == setting.pool_area) & whole[0])),
            rounded.eq(whole + up)]
        with m.If(self.advance):
            m.d.sync += [
                stage.eq(column), negative.eq(column.value < 0), whole.eq(quotient),
                rest.eq(magnitude - quotient * setting.pool_area),
                *(self.o[name].eq(stage[name]) for name in ("valid", "end", "channel", "y", "x")),
                self.o.value.eq(Mux(setting.pool == 2, Mux(negative, -rounded, rounded),
                                    stage.value))]
        return stage
