# Ref: Yu et al., "Multiply-and-Fire", Section 5.2.3: load module. Ours: non-zero weights only.
from amaranth import *
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

from .layouts import pointer_layout, vector_layout
from .load import Load, load_members


class SparseLoad(Load):
    """Load module of a PE whose lanes hold lists of non-zero weights.

    A tile's words are not the groups of output channels one after the other, but as many as its
    longest lane has weights that are not 0; each weight says which group it is for. Where a tile's
    words begin, and how many there are, stands in a table of pointers. So a vector per word and
    cycle, sustained, and a cycle for a tile without weights. Stages DECODE, ORIGIN, DIVIDE, TILE
    (reads the table), FETCH, the walk: an event's first vector is offered two cycles later than
    `Load`'s.

    Members
    -------
    As `Load`, and

    pointer : In(valid, pointer_layout(cfg))
        An entry of the table; only while ``idle``.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        self.place_bits, self.places = (cfg.pointer_words - 1).bit_length(), cfg.pointer_words
        pointer = data.StructLayout({"valid": 1, "pointer": pointer_layout(cfg)})
        super(Load, self).__init__(load_members(cfg) | {"pointer": In(pointer)})

    def elaborate(self, platform):
        m = Module()
        stages = ("decode", "origin", "divide", "tile")
        valid = [Signal(name=f"{name}_valid") for name in stages]
        load = [Signal(name=f"{name}_load") for name in stages]
        last = Signal()
        m.d.comb += self.i.ready.eq(load[0])
        for n, before in enumerate((self.i.valid, *valid[:3])):
            m.d.comb += load[n].eq(~valid[n] | (load[n + 1] if n < 3 else last))
            with m.If(load[n]):
                m.d.sync += valid[n].eq(before)
        decoded = self._decode(m, load[0])
        self._check(m, valid[0] & load[1] & ~decoded.input.end, decoded.input.event)
        placed = self._origin(m, load[1], decoded)
        divided = self._divide(m, load[2], placed)
        self._tiles(m, load[3], divided, valid, last)
        return m

    def _tiles(self, m, load, start, valid, finish):
        """A tile per cycle: its pointer is read, its place and masks go along."""
        cfg, setting = self.cfg, self.setting
        place = data.StructLayout({"weight": self.place_bits, "entry": cfg.entry_bits,
                                   "rotation": range(cfg.lanes)})
        now, row = Signal(place, name="now"), Signal(place, name="row")
        event = Signal(start.before.before.shape())
        right, down = Signal(cfg.tap_bits), Signal(cfg.tap_bits)        # tiles still to come
        issue = Signal()
        entry, rotation = self._step(m, now, setting.across_entry, setting.across_rotation, "right")
        below, turned = self._step(m, row, setting.down_entry, setting.down_rotation, "down")
        m.d.comb += finish.eq(issue & (event.input.end | ~(right.any() | down.any())))
        with m.If(load):
            first = start.before.before
            origin = Cat(start.before.weight, start.entry, start.rotation)
            m.d.sync += [Value.cast(now).eq(origin), Value.cast(row).eq(origin), event.eq(first),
                         right.eq(first.x.more), down.eq(first.y.more)]
        with m.Elif(issue & right.any()):
            m.d.sync += [right.eq(right - 1), now.weight.eq(now.weight - 1), now.entry.eq(entry),
                         now.rotation.eq(rotation)]
        with m.Elif(issue):
            below_row = Signal(place)
            m.d.comb += [below_row.weight.eq(row.weight - setting.tiles_across),
                         below_row.entry.eq(below), below_row.rotation.eq(turned)]
            m.d.sync += [down.eq(down - 1), right.eq(event.x.more), now.eq(below_row),
                         row.eq(below_row)]
        tile = Signal(vector_layout(cfg), name="tile")
        m.d.comb += [
            tile.end.eq(event.input.end), tile.value.eq(event.input.event.value),
            tile.entry.eq(now.entry), tile.rotation.eq(now.rotation),
            tile.rows.eq(self._mask(event.y, down, setting.pr)),
            tile.cols.eq(self._mask(event.x, right, setting.pc))]
        self._words(m, valid, issue, now.weight, tile)

    def _words(self, m, valid, issue, index, tile):
        """FETCH: the pointer is here. Walk: a word of the tile per cycle."""
        cfg = self.cfg
        table = Memory(shape=data.StructLayout({
            name: pointer_layout(cfg)[name].shape for name in ("start", "count")}),
            depth=cfg.pointer_words, init=[])
        m.submodules.pointers = table
        write, read, pointer = table.write_port(), table.read_port(), self.pointer.pointer
        fetched, walked = Signal(vector_layout(cfg)), Signal(vector_layout(cfg))
        fetch, walk, free, leave = Signal(), Signal(), Signal(), Signal()
        advance, left = Signal(), Signal(pointer.count.shape())
        empty = Signal()
        m.d.comb += [
            write.addr.eq(pointer.address), write.en.eq(self.pointer.valid),
            write.data.start.eq(pointer.start), write.data.count.eq(pointer.count),
            advance.eq(walk & (~self.o.valid | self.o.ready)),
            free.eq(~walk | (advance & (walked.end | (left == 1)))),
            empty.eq(~fetched.end & ~read.data.count.any()), leave.eq(fetch & (free | empty)),
            issue.eq(valid[3] & (~fetch | leave)), read.addr.eq(index), read.en.eq(issue),
            self.read.eq(advance & ~walked.end),
            self.idle.eq(~Cat(valid, fetch, walk, self.o.valid).any()),
        ]
        with m.If(~fetch | leave):
            m.d.sync += [fetch.eq(valid[3]), fetched.eq(tile)]
        with m.If(free):
            m.d.sync += [walk.eq(fetch & ~empty), walked.eq(fetched), left.eq(read.data.count),
                         self.address.eq(read.data.start)]
        with m.Elif(advance):
            m.d.sync += [left.eq(left - 1), self.address.eq(self.address + 1)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(advance):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(walked)]
