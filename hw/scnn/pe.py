# Ref: Parashar et al., "SCNN", ISCA 2017, section IV and Fig. 6: processing element.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree
from hw.common.select import select_bit

from .accumulator import Accumulators
from .activation_fetch import ActivationFetch
from .activation_ram import ActivationRAM, row_layout, table_layout, write_layout
from .crossbar import Crossbar
from .halo import Halo
from .layouts import (
    Cause,
    HaloOp,
    PEError,
    SlotKind,
    announcement_layout,
    command_layout,
    decoded_line_layout,
    layer_layout,
    link_layout,
    status_layout,
    tile_layout,
)
from .multiplier_array import MultiplierArray
from .ppu import PPU
from .weight_fifo import WeightFIFO


def store_layout(cfg):
    """What a PE shows of its output RAM, one cycle after the address."""
    return data.StructLayout({
        "present": 1,
        "table": table_layout(cfg),
        "row": row_layout(cfg),
    })


class PE(wiring.Component):
    """Processing element: F×I multipliers, its share of the activations, its accumulators.

    No output depends on an input in the same cycle.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    index : In(16)
        Row times pe_cols plus column.
    border : In(4)
        Bit d: no neighbour to the left, right, above, below.
    layer, row, col : In
        Descriptor, constant from ``layer_start`` to ``layer_end``.
    command : In(command_layout(cfg))
    status : Out(status_layout(cfg))
    announce : In(announcement_layout(cfg))
    line : In(stream.Signature(decoded_line_layout(cfg)))
    link_i, link_o : four halo links
    store_channel, store_row : In
        Read addresses into the output RAM, for the collector.
    store : Out(store_layout(cfg))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        links = data.ArrayLayout(link_layout(cfg), 4)
        super().__init__({
            "index": In(16),
            "border": In(4),
            "layer": In(layer_layout()),
            "row": In(tile_layout()),
            "col": In(tile_layout()),
            "command": In(command_layout(cfg)),
            "status": Out(status_layout(cfg)),
            "announce": In(announcement_layout(cfg)),
            "line": In(stream.Signature(decoded_line_layout(cfg))),
            "link_i": In(links),
            "link_o": Out(links),
            "store_channel": In(cfg.channel_bits),
            "store_row": In(cfg.row_bits),
            "store": Out(store_layout(cfg)),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, command = self.cfg, self.command
        m.submodules.fifo = fifo = WeightFIFO(cfg)
        m.submodules.fetch = fetch = ActivationFetch(cfg)
        m.submodules.multipliers = multipliers = MultiplierArray(cfg)
        m.submodules.crossbar = crossbar = Crossbar(cfg)
        m.submodules.accumulators = accumulators = Accumulators(cfg)
        m.submodules.halo = halo = Halo(cfg)
        m.submodules.ppu = ppu = PPU(cfg)
        m.submodules.ram_0, m.submodules.ram_1 = rams = ActivationRAM(cfg), ActivationRAM(cfg)

        select = Signal()                # accumulator buffer and bias side that fill
        with m.If(command.swap):
            m.d.sync += select.eq(~select)
        load = Signal(write_layout(cfg))
        bitmap = self._rams(m, rams, load, ppu.write, fetch)

        wiring.connect(m, wiring.flipped(self.line), fifo.i)
        wiring.connect(m, fifo.scan, fetch.i)
        wiring.connect(m, multipliers.o, crossbar.i)
        m.d.comb += [
            fifo.pe_index.eq(self.index), fifo.bitmap.eq(bitmap), fifo.announce.eq(self.announce),
            crossbar.phase_reset.eq(command.run),
            accumulators.select.eq(select),
        ]
        self._configure(m, fetch, multipliers)
        for bank, product in zip(accumulators.fill, crossbar.o, strict=True):
            m.d.comb += bank.eq(product)
        flushing, done, running = self._issue(m, fifo, fetch, multipliers, crossbar, ppu, load)
        self._drain(m, halo, ppu, accumulators, select)
        self._status(m, fifo, multipliers, flushing, done, running)
        self._errors(m, rams, fetch)
        return m

    def _configure(self, m, fetch, multipliers):
        """Copies of what the products need of the descriptor, which holds long before ``run``."""
        values = {"base": (fetch.base, self.row.base_sums + self.col.base_sums),
                  "kc": (fetch.kc, self.layer.kc), "limit": (fetch.limit, self.layer.window_sums),
                  "shift": (multipliers.product_shift, self.layer.product_shift)}
        for name, (to, value) in values.items():
            copy = Signal.like(to, name=name)
            m.d.sync += copy.eq(value)
            m.d.comb += to.eq(copy)

    def _rams(self, m, rams, load, result, fetch):
        """The two activation RAMs change places after each layer; returns the input's bitmap."""
        cfg, command = self.cfg, self.command
        swapped = Signal()
        with m.If(command.layer_end):
            m.d.sync += swapped.eq(~swapped)
        bitmap, present = Signal(cfg.max_channels), Signal()
        m.d.sync += self.store.present.eq(present)
        for n, ram in enumerate(rams):
            with m.If(swapped == n):     # this one is the input
                m.d.comb += [
                    ram.clear.eq(command.layer_start & command.clear_input),
                    ram.write.eq(load), bitmap.eq(ram.bitmap),
                    ram.table_addr.eq(fetch.table_addr), fetch.table_data.eq(ram.table_data),
                    ram.row_addr.eq(fetch.row_addr), fetch.row_data.eq(ram.row_data),
                ]
            with m.Else():
                m.d.comb += [
                    ram.clear.eq(command.layer_start), ram.write.eq(result),
                    ram.table_addr.eq(self.store_channel), ram.row_addr.eq(self.store_row),
                    present.eq(select_bit(ram.bitmap, self.store_channel)),
                    self.store.table.eq(ram.table_data), self.store.row.eq(ram.row_data),
                ]
        self.input_overflow, self.output_overflow = Signal(), Signal()
        m.d.comb += [
            self.input_overflow.eq(Mux(swapped, rams[1].overflow, rams[0].overflow)),
            self.output_overflow.eq(Mux(swapped, rams[0].overflow, rams[1].overflow)),
        ]
        return bitmap

    def _issue(self, m, fifo, fetch, multipliers, crossbar, ppu, load):
        """Hands slots to the multipliers, the bias memory or the input RAM; ends a group."""
        cfg, command, slot = self.cfg, self.command, fifo.slot
        running, flushing, done = Signal(), Signal(), Signal(init=1)
        elements = slot.p.elements
        weight, row, vector = Signal(), Signal(), Signal()
        m.d.comb += [
            row.eq(slot.p.kind == SlotKind.ROW),
            weight.eq(slot.p.kind == SlotKind.WEIGHT),
            vector.eq(running & slot.valid & weight & fetch.o.valid),
            fifo.last_pass.eq(fetch.o.p.last),
            multipliers.i.valid.eq(vector),
            multipliers.i.p.activations.eq(fetch.o.p.activations),
            slot.ready.eq(Mux(weight, vector & multipliers.i.ready,
                              Mux(row, command.load, running))),
            fetch.o.ready.eq(vector & multipliers.i.ready & slot.p.last),
        ]
        for f in range(cfg.mults_f):
            m.d.comb += multipliers.i.p.weights[f].eq(elements[f])

        taken = Signal()
        m.d.comb += taken.eq(slot.valid & slot.ready)
        self._load(m, slot, taken, load)
        self._bias(m, slot, taken, ppu)
        with m.If(command.run):
            m.d.sync += [running.eq(1), done.eq(0)]
        with m.Elif(taken & slot.p.end_group & (~weight | fetch.o.p.last)):
            m.d.sync += [running.eq(0), flushing.eq(1)]
        with m.If(flushing & multipliers.empty & crossbar.empty):
            m.d.sync += [flushing.eq(0), done.eq(1)]
        return flushing, done, running

    def _raw(self, slot):
        """A slot that is not WEIGHT, as it stood in memory."""
        raw = [Cat(element.value, element.offset[:self.cfg.index_bits])
               for element in (slot.p.elements[n] for n in range(self.cfg.slot_elements))]
        return Cat(raw)

    def _load(self, m, slot, taken, load):
        row = slot.p.kind == SlotKind.ROW
        m.d.comb += [load.valid.eq(taken & row), load.has_row.eq(1), load.row.eq(self._raw(slot)),
                     load.last.eq(slot.p.last), load.channel.eq(slot.p.channel)]

    def _bias(self, m, slot, taken, ppu):
        at = Signal.like(ppu.bias.row)
        m.d.comb += [ppu.bias.valid.eq(taken & (slot.p.kind == SlotKind.BIAS)),
                     ppu.bias.row.eq(at), ppu.bias["values"].eq(self._raw(slot))]
        with m.If(self.command.run):
            m.d.sync += at.eq(0)
        with m.Elif(ppu.bias.valid):
            m.d.sync += at.eq(at + 1)

    def _drain(self, m, halo, ppu, accumulators, select):
        """One of halo, PPU and clearing uses the drained buffer at a time."""
        cfg, command = self.cfg, self.command
        clearing, entry, last = Signal(), Signal(cfg.entry_bits), Signal(cfg.entry_bits)
        for block in (halo, ppu):
            m.d.comb += [block.layer.eq(self.layer), block.row.eq(self.row), block.col.eq(self.col)]
        m.d.comb += [
            halo.border.eq(self.border), halo.i.eq(self.link_i), self.link_o.eq(halo.o),
            halo.op.eq(command.op), halo.start.eq(command.drain),
            halo.send_value.eq(accumulators.sum), halo.conflict.eq(accumulators.conflict),
            ppu.start.eq(command.drain & (command.op == HaloOp.EMIT)),
            ppu.kc.eq(command.kc), ppu.channel.eq(command.channel), ppu.select.eq(select),
            ppu.fetch_value.eq(accumulators.sum),
            accumulators.send.enable.eq(halo.send_enable | ppu.fetch_enable),
            accumulators.send.address.eq(Mux(halo.send_enable, halo.send_address,
                                             ppu.fetch_address)),
            accumulators.send.zero.eq(halo.send_enable & halo.send_zero),
            accumulators.receive.enable.eq(halo.receive_enable),
            accumulators.receive.address.eq(halo.receive_address),
            accumulators.receive.value.eq(halo.receive_value),
            accumulators.clear.eq(clearing), accumulators.clear_entry.eq(entry),
        ]
        with m.If(command.drain & ((command.op == HaloOp.CLEAR)
                                   | (command.op == HaloOp.CLEAR_ALL))):
            m.d.sync += [clearing.eq(1), entry.eq(0),
                         last.eq(Mux(command.op == HaloOp.CLEAR,
                                     (self.layer.window_sums - 1) >> cfg.bank_bits,
                                     cfg.acc_entries - 1))]
        with m.Elif(clearing):
            m.d.sync += [entry.eq(entry + 1), clearing.eq(entry != last)]
        m.d.comb += self.status.drained.eq(halo.done & ppu.done & ~clearing)

    def _status(self, m, fifo, multipliers, flushing, done, running):
        products = multipliers.o
        m.d.comb += [self.status.empty.eq(fifo.empty), self.status.done.eq(done)]
        with m.If(products.valid & products.ready):
            m.d.comb += self.status.cause.eq(Cause.MULTIPLY)
            m.d.sync += self.status.products.eq(
                adder_tree([products.p[n].valid for n in range(self.cfg.lanes)]))
        with m.Else():
            m.d.sync += self.status.products.eq(0)
            with m.If(products.valid | flushing):
                m.d.comb += self.status.cause.eq(Cause.CONFLICT)
            with m.Elif(running):
                m.d.comb += self.status.cause.eq(Cause.STARVED)

    def _errors(self, m, rams, fetch):
        with m.If(self.status.error == PEError.NONE):
            with m.If(self.input_overflow):
                m.d.sync += self.status.error.eq(PEError.INPUT_OVERFLOW)
            with m.Elif(self.output_overflow):
                m.d.sync += self.status.error.eq(PEError.OUTPUT_OVERFLOW)
            with m.Elif(fetch.range_error):
                m.d.sync += self.status.error.eq(PEError.RANGE)
