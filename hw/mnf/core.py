# Ref: Yu et al., "Multiply-and-Fire", Section 5.2.3, Fig. 5: core and SRAMs of a PE.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.stream.fifo import FIFO

from .dispatcher import Dispatcher
from .layouts import (
    dispatch_layout,
    input_layout,
    load_layout,
    operands_layout,
    pointer_layout,
    weight_layout,
    work_layout,
)
from .load import Load
from .mac_cluster import MACCluster
from .sparse_load import SparseLoad


class WeightSRAM(wiring.Component):
    """The weight SRAM of a PE: one port, a word in a cycle.

    A read's word is at ``word`` in the next cycle and stays until the next read. A write goes
    first; it comes between passes, when nothing is read.

    Members
    -------
    write : In(valid, address, word)
    read, address : In
    word : Out(word_bits)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "write": In(data.StructLayout({"valid": 1, "weight": weight_layout(cfg)})),
            "read": In(1),
            "address": In(cfg.weight_bits),
            "word": Out(cfg.word_bits),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.weights = memory = Memory(shape=self.cfg.word_bits,
                                               depth=self.cfg.weight_words, init=[])
        write, read = memory.write_port(), memory.read_port()
        address = Signal(self.cfg.weight_bits)
        weight = self.write.weight
        m.d.comb += [
            address.eq(Mux(self.write.valid, weight.address, self.address)),
            write.addr.eq(address), write.data.eq(weight.word), write.en.eq(self.write.valid),
            read.addr.eq(address), read.en.eq(self.read & ~self.write.valid),
            self.word.eq(read.data),
        ]
        return m


class Core(wiring.Component):
    """The multiply phase of a PE: events in, sums in the accumulate SRAM.

    Load module, weight SRAM, dispatcher and MAC cluster, with circular FIFOs between them, so that
    each runs as long as there is something for it: a vector per cycle. An event taken in cycle t
    has its first vector multiplied in t + 10, if no other one is before it (README, *Cycles*).

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    load, dispatch : In(load_layout(cfg)), In(dispatch_layout(cfg))
        Registers of the pass, held while there are events.
    weight : In(valid, weight_layout(cfg))
        A word for the weight SRAM; only while ``idle``.
    pointer : In(valid, pointer_layout(cfg))
        With weight sparsity alone: of the `SparseLoad`.
    i : In(stream.Signature(input_layout(cfg)))
    drain, row, row_valid, end, busy, macs, clear, clearing
        Of the `MACCluster`.
    idle : Out(1)
        No event is anywhere inside.
    bad : Out(1)
        Of the `Load` module.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        pointer = data.StructLayout({"valid": 1, "pointer": pointer_layout(cfg)})
        super().__init__({
            **({"pointer": In(pointer)} if cfg.weight_sparse else {}),
            "load": In(load_layout(cfg)),
            "dispatch": In(dispatch_layout(cfg)),
            "weight": In(data.StructLayout({"valid": 1, "weight": weight_layout(cfg)})),
            "i": In(stream.Signature(input_layout(cfg))),
            "drain": In(stream.Signature(cfg.entry_bits)),
            "row": Out(signed(cfg.acc_bits)).array(cfg.lanes),
            "row_valid": Out(1),
            "end": Out(1),
            "busy": Out(1),
            "macs": Out(range(cfg.lanes + 1)),
            "clear": In(1),
            "clearing": Out(1),
            "idle": Out(1),
            "bad": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.events = events = FIFO(input_layout(cfg), cfg.event_fifo)
        m.submodules.load = load = (SparseLoad if cfg.weight_sparse else Load)(cfg)
        if cfg.weight_sparse:
            m.d.comb += load.pointer.eq(self.pointer)
        m.submodules.weights = weights = WeightSRAM(cfg)
        m.submodules.work = work = FIFO(work_layout(cfg), cfg.vector_fifo)
        m.submodules.dispatcher = dispatcher = Dispatcher(cfg)
        m.submodules.operands = operands = FIFO(operands_layout(cfg), cfg.vector_fifo)
        m.submodules.cluster = cluster = MACCluster(cfg)

        wiring.connect(m, wiring.flipped(self.i), events.i)
        wiring.connect(m, events.o, load.i)
        m.d.comb += [
            load.setting.eq(self.load), dispatcher.setting.eq(self.dispatch),
            weights.write.eq(self.weight), weights.read.eq(load.read),
            weights.address.eq(load.address),
            work.i.valid.eq(load.o.valid), load.o.ready.eq(work.i.ready),
            work.i.p.vector.eq(load.o.payload), work.i.p.weights.eq(weights.word),
        ]
        wiring.connect(m, work.o, dispatcher.i)
        wiring.connect(m, dispatcher.o, operands.i)
        wiring.connect(m, operands.o, cluster.i)
        wiring.connect(m, wiring.flipped(self.drain), cluster.drain)
        for n in range(cfg.lanes):
            m.d.comb += self.row[n].eq(cluster.row[n])
        m.d.comb += [
            self.row_valid.eq(cluster.row_valid), self.end.eq(cluster.end),
            self.busy.eq(cluster.busy), self.macs.eq(cluster.macs),
            cluster.clear.eq(self.clear), self.clearing.eq(cluster.clearing), self.bad.eq(load.bad),
            self.idle.eq(~events.o.valid & load.idle & ~work.o.valid & dispatcher.idle
                         & ~operands.o.valid),
        ]
        return m
