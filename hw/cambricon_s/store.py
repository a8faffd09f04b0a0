# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V: results of the NFU, pooled, to memory.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import command_layout
from hw.common.axi.lines import beat_layout
from hw.common.axi.shell import BEATS_BITS
from hw.common.divider import AverageDivider
from hw.common.numeric import round_shift_half_even

from .instruction import CHOICES
from .layouts import pair_layout, slot_layout
from .sides import State, is_full
from .table import LATENCY, Table

MAX_SHIFT = 63


class Store(wiring.Component):
    """The unit of the STORE slots: sums to neurons, pooled, to memory, pixel by pixel.

    A pixel offers its region from its first cycle on, reads k = pool_rows · pool_columns vectors in
    as many cycles, takes 3 more, ``data_bits`` + 2 for an average, Tm + 2 for sigmoid or tanh, 1
    more, and then offers its beats; the next pixel begins in the cycle after the last one.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    i : In(stream.Signature(slot_layout(cfg, "store")))
    state : In(State).array(2)
        Of NBout's sides.
    use, used : Out(pair_layout())
    side, vector : Out
        Addresses NBout; ``sums`` follows by a cycle.
    sums : In(Tm · acc_bits)
    write_command, write_data, write_done : as an engine has them, with strobes
    busy : Out(1)
        A slot is under way, or a region lacks its responses.
    moves : Out(1)
        It does not wait for the bus.
    beyond : Out(1)
        A vector of this cycle lies beyond the side.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(slot_layout(cfg, "store"))), "state": In(State).array(2),
            "use": Out(pair_layout()), "used": Out(pair_layout()),
            "side": Out(1), "vector": Out(range(cfg.nbout_vectors)),
            "sums": In(cfg.tm * cfg.acc_bits),
            "write_command": Out(stream.Signature(command_layout(cfg.addr_bits, BEATS_BITS))),
            "write_data": Out(stream.Signature(beat_layout(cfg.memory_bits, strobes=True))),
            "write_done": In(1), "busy": Out(1), "moves": Out(1), "beyond": Out(1)})

    def elaborate(self, platform):
        m = Module()
        slot = Signal(slot_layout(self.cfg, "store"))
        begin, last = Signal(), Signal()    # a pixel begins in the next cycle; it is the last one
        done, take = Signal(), Signal()     # its last beat leaves
        reading, first = Signal(), Signal()
        address = self._pixels(m, slot, take, done, last)
        m.d.comb += begin.eq(take | (done & ~last))
        reads_end = self._vectors(m, slot, take, done, reading, first)
        pixel, average, table = self._values(m, slot, reading, first)
        emit, shift = Signal(), Signal()
        m.d.comb += done.eq(self._emit(m, slot, pixel, address, begin, shift, emit))
        count = Signal(range(max(self.cfg.tm, self.cfg.data_bits) + 2))
        averages = slot.pool == CHOICES["pool"].index("average")
        tables = slot.function > CHOICES["function"].index("relu")
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += take.eq(self.i.valid & is_full(self.state, self.i.p.nbout_side))
                with m.If(take):
                    m.d.sync += slot.eq(self.i.payload)
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += reading.eq(1)
                m.d.sync += count.eq(2)
                with m.If(reads_end):
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.sync += count.eq(count - 1)
                with m.If(count == 0):
                    m.d.sync += count.eq(Mux(averages, self.cfg.data_bits + 1, self.cfg.tm + 1))
                    m.next = "SHIFT"
                    with m.If(averages):
                        m.next = "AVERAGE"
                    with m.Elif(tables):
                        m.next = "TABLE"
            for name, busy in (("AVERAGE", average), ("TABLE", table)):
                with m.State(name):
                    m.d.comb += busy.eq(1)
                    m.d.sync += count.eq(count - 1)
                    with m.If(count == 0):
                        m.next = "SHIFT"
            with m.State("SHIFT"):
                m.d.comb += shift.eq(1)
                m.next = "EMIT"
            with m.State("EMIT"):
                m.d.comb += emit.eq(1)
                with m.If(done):
                    m.next = "READ"
                    with m.If(last):
                        m.next = "IDLE"
        m.d.comb += [
            self.i.ready.eq(take), self.use.valid.eq(take), self.use.side.eq(self.i.p.nbout_side),
            self.use.ends.eq(self.i.p.release), self.used.valid.eq(done & last),
            self.used.side.eq(slot.nbout_side), self.used.ends.eq(slot.release),
            self.moves.eq(take | reading | average | table | shift),
        ]
        self._busy(m, take, done & last)
        return m

    def _busy(self, m, take, ends):
        under_way, lacking = Signal(), Signal(16)       # regions without responses
        m.d.sync += lacking.eq(lacking + (self.write_command.valid & self.write_command.ready)
                               - self.write_done)
        with m.If(take):
            m.d.sync += under_way.eq(1)
        with m.Elif(ends):
            m.d.sync += under_way.eq(0)
        m.d.comb += self.busy.eq(under_way | lacking.any())

    def _pixels(self, m, slot, take, done, last):
        """The outputs in order, and where each lies. Returns its address."""
        given = self.i.p
        rows, columns = Signal(8), Signal(8)            # that are left
        address, row = Signal(self.cfg.addr_bits), Signal(self.cfg.addr_bits)
        m.d.comb += last.eq((rows == 1) & (columns == 1))
        with m.If(done):
            m.d.sync += [columns.eq(columns - 1), address.eq(address + slot.pixel_pitch)]
            with m.If(columns == 1):
                m.d.sync += [columns.eq(slot.columns), rows.eq(rows - 1),
                             address.eq(row + slot.row_pitch), row.eq(row + slot.row_pitch)]
        with m.If(take):
            m.d.sync += [rows.eq(given.rows), columns.eq(given.columns),
                         address.eq(given.address), row.eq(given.address)]
        return address

    def _vectors(self, m, slot, take, done, reading, first):
        """The vectors of each output's window. Returns that the last one is read."""
        given, bits = self.i.p, 16
        row_at, pixel_at, line_at, at = (Signal(bits, name=f"{name}_at")
                                         for name in ("row", "pixel", "line", "vector"))
        i, j, columns = Signal(4), Signal(4), Signal(8)
        ends = Signal()
        m.d.comb += [
            first.eq((i == 0) & (j == 0)),
            ends.eq((i + 1 == slot.pool_rows) & (j + 1 == slot.pool_columns)),
            self.side.eq(slot.nbout_side), self.vector.eq(at),
            self.beyond.eq(reading & (at >= self.cfg.nbout_vectors)),
        ]
        with m.If(reading):
            m.d.sync += [j.eq(j + 1), at.eq(at + 1)]
            with m.If(j + 1 == slot.pool_columns):
                m.d.sync += [j.eq(0), i.eq(i + 1), line_at.eq(line_at + slot.row_step),
                             at.eq(line_at + slot.row_step)]
        with m.If(done):
            next_at = Signal(bits)
            m.d.comb += next_at.eq(pixel_at + slot.pool_s)
            m.d.sync += columns.eq(columns + 1)
            with m.If(columns + 1 == slot.columns):
                m.d.comb += next_at.eq(row_at + slot.pool_s * slot.row_step)
                m.d.sync += [row_at.eq(next_at), columns.eq(0)]
            m.d.sync += [at_.eq(next_at) for at_ in (pixel_at, line_at, at)]
        with m.If(take | done):
            m.d.sync += [i.eq(0), j.eq(0)]
        with m.If(take):
            m.d.sync += [columns.eq(0), *(at_.eq(given.nbout_first) for at_ in
                                          (row_at, pixel_at, line_at, at))]
        return ends

    def _values(self, m, slot, reading, first):
        """Vectors to a pixel. Returns it and the inputs that say what is done to it."""
        cfg = self.cfg
        there, begins = Signal(3), Signal(3)            # of the stages behind the address
        m.d.sync += [there.eq(Cat(reading, there)), begins.eq(Cat(first, begins))]
        high = Signal(signed(cfg.data_bits + 1))
        low = Signal(signed(cfg.data_bits + 1))
        relu = slot.function == CHOICES["function"].index("relu")
        m.d.comb += [high.eq((1 << slot.out_bits) - 1), low.eq(Mux(relu, 0, ~high))]
        average, table, lane = Signal(), Signal(), Signal(range(cfg.tm + 2))
        pixel = Signal(data.ArrayLayout(signed(cfg.data_bits), cfg.tm))
        m.d.sync += lane.eq(Mux(table, lane + 1, 0))
        for n in range(cfg.tm):
            value = self._neuron(m, slot, n, low, high)
            total = Signal(signed(cfg.data_bits + 8), name=f"total_{n}")
            m.submodules[f"divider_{n}"] = divider = AverageDivider(cfg.data_bits)
            with m.If(there[2]):
                larger = ~begins[2] & (pixel[n] > value)
                m.d.sync += [pixel[n].eq(Mux(larger, pixel[n], value)),
                             total.eq(Mux(begins[2], 0, total) + value)]
            m.d.comb += [divider.i.eq(total), divider.area.eq(slot.area),
                         divider.start.eq(average), divider.take.eq(average & divider.ready)]
            with m.If(average & divider.ready):
                m.d.sync += pixel[n].eq(divider.o)
        m.submodules.table = function = Table(cfg)
        m.d.comb += [function.tanh.eq(slot.function == CHOICES["function"].index("tanh")),
                     function.i.eq(pixel[lane])]
        for n in range(cfg.tm):
            with m.If(table & (lane == n + LATENCY)):
                m.d.sync += pixel[n].eq(function.o)
        return pixel, average, table

    def _neuron(self, m, slot, n, low, high):
        """Lane n of the vector: × multiplier, / 2^shift, saturated; two registers on the way."""
        cfg = self.cfg
        acc = self.sums[n * cfg.acc_bits:(n + 1) * cfg.acc_bits].as_signed()
        product = Signal(signed(cfg.acc_bits + 17), name=f"product_{n}")
        rounded = Signal(signed(cfg.acc_bits + 17), name=f"rounded_{n}")
        value = Signal(signed(cfg.data_bits), name=f"value_{n}")
        m.d.sync += [product.eq(acc * slot.multiplier),
                     rounded.eq(round_shift_half_even(product, slot.shift, MAX_SHIFT, m=m,
                                                      name=f"neuron_{n}"))]
        m.d.comb += value.eq(Mux(rounded > high, high, Mux(rounded < low, low, rounded)))
        return value

    def _emit(self, m, slot, pixel, address, begin, shift, emit):
        """A region per pixel, its beats with strobes. Returns that the last one leaves."""
        cfg, command, beat = self.cfg, self.write_command, self.write_data
        size, offset_bits = cfg.data_bits // 8, cfg.beat_bytes.bit_length() - 1
        most = -(-(cfg.beat_bytes - 1 + cfg.tm * size) // cfg.beat_bytes)
        offset, used = address[:offset_bits], Signal(range(cfg.tm * size + cfg.beat_bytes))
        beats, left, asks = Signal(range(most + 1)), Signal(range(most + 1)), Signal()
        bytes_, strobes = Signal(most * cfg.memory_bits), Signal(most * cfg.beat_bytes)
        wanted = Signal(cfg.tm * size)
        m.d.comb += [
            used.eq(offset + slot.lanes * size),
            beats.eq((used + cfg.beat_bytes - 1) >> offset_bits),
            wanted.eq(Cat((n // size < slot.lanes) for n in range(cfg.tm * size))),
            command.valid.eq(asks), command.p.beats.eq(beats),
            command.p.address.eq(Cat(Const(0, offset_bits), address[offset_bits:])),
            beat.valid.eq(emit), beat.p.last.eq(left == 1),
            beat.p.data.eq(bytes_), beat.p.strb.eq(strobes),
        ]
        with m.If(begin):
            m.d.sync += asks.eq(1)
        with m.Elif(command.ready):
            m.d.sync += asks.eq(0)
        with m.If(shift):
            m.d.sync += [left.eq(beats), strobes.eq(wanted << offset),
                         bytes_.eq(pixel.as_value() << Cat(Const(0, 3), offset))]
        with m.Elif(beat.valid & beat.ready):
            m.d.sync += [left.eq(left - 1), strobes.eq(strobes >> cfg.beat_bytes),
                         bytes_.eq(bytes_ >> cfg.memory_bits)]
        return beat.valid & beat.ready & beat.p.last
