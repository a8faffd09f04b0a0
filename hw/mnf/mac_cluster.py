# Ref: Yu et al., "Multiply-and-Fire", Section 5.2.3, Fig. 5: MAC cluster, accumulate SRAM.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared

from .layouts import operand_layout, operands_layout


class MAC(wiring.Component):
    """A multiplier, an adder and their bank of the accumulate SRAM.

    One operand per cycle, even to one sum again and again. An operand of cycle t: its sum is read
    and its product made in t + 1, they are added in t + 2, the sum is written in t + 3. A sum that
    is still on its way is taken from there: the one added in the cycle before, or the one being
    written in the cycle of the read. So it is as if each operand ended before the next one. Sums
    wrap at ``acc_bits``. ``drain`` instead of an operand gives the sum at ``entry``, and zeroes it.

    The bank has one read and one write port; what it reads at the address being written does not
    matter.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    value : In(signed(data_bits))
    operand : In(operand_layout(cfg))
    drain : In(1)
        ``operand.entry`` is drained; ``operand.enable`` means nothing.
    sum : Out(signed(acc_bits))
        The drained sum, two cycles after ``drain``.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "value": In(signed(cfg.data_bits)),
            "operand": In(operand_layout(cfg)),
            "drain": In(1),
            "sum": Out(signed(cfg.acc_bits)),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.sums = memory = Memory(shape=signed(cfg.acc_bits), depth=cfg.acc_entries,
                                            init=[])
        write, read = memory.write_port(), memory.read_port()
        operation = data.StructLayout({"enable": 1, "drain": 1, "entry": cfg.entry_bits})
        fetch, add, store, stored = (Signal(operation, name=name)
                                     for name in ("fetch", "add", "store", "stored"))
        value, weight = Signal.like(self.value), Signal(signed(cfg.data_bits))
        product = Signal(signed(2 * cfg.data_bits))
        before, total = Signal(signed(cfg.acc_bits)), Signal(signed(cfg.acc_bits))
        written = Signal(signed(cfg.acc_bits))
        m.d.sync += [
            fetch.enable.eq(self.operand.enable | self.drain), fetch.drain.eq(self.drain),
            fetch.entry.eq(self.operand.entry), value.eq(self.value),
            weight.eq(self.operand.weight),
            add.eq(fetch), product.eq(value * weight),
            store.eq(add), total.eq(Mux(add.drain, 0, before + product)),
            stored.eq(store), written.eq(total),
        ]
        m.d.comb += [
            read.addr.eq(fetch.entry), read.en.eq(fetch.enable), before.eq(read.data),
            write.addr.eq(store.entry), write.data.eq(total), write.en.eq(store.enable),
            self.sum.eq(before),
        ]
        with m.If(stored.enable & (stored.entry == add.entry)):
            m.d.comb += before.eq(written)
        with m.If(store.enable & (store.entry == add.entry)):
            m.d.comb += before.eq(total)
        return m


class MACCluster(wiring.Component):
    """All MACs of a PE, and what drains their sums.

    One vector of operands or one drained row per cycle; a drain goes first. A row is the sums of
    one entry in all banks: with ``drain.valid`` in cycle t they are in ``row`` in t + 2, and
    zeroed, whatever operands are on their way. After reset, and after ``clear``, the sums are
    zeroed, an entry per cycle; until then nothing is taken.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    i : In(stream.Signature(operands_layout(cfg)))
    drain : In(stream.Signature(entry_bits))
        The entry to be drained; always taken but after reset.
    row : Out(signed(acc_bits)).array(lanes)
    row_valid : Out(1)
    end : Out(1)
        The end of the data was taken in this cycle: a drain may begin in the next one.
    busy : Out(1)
        A vector was taken in this cycle.
    macs : Out(range(lanes + 1))
        Multiplications that began in the cycle before.
    clear : In(1), clearing : Out(1)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "clear": In(1),
            "clearing": Out(1, init=1),
            "i": In(stream.Signature(operands_layout(cfg))),
            "drain": In(stream.Signature(cfg.entry_bits)),
            "row": Out(signed(cfg.acc_bits)).array(cfg.lanes),
            "row_valid": Out(1),
            "end": Out(1),
            "busy": Out(1),
            "macs": Out(range(cfg.lanes + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        at, clearing = Signal(range(cfg.acc_entries)), self.clearing
        with m.If(self.clear):
            m.d.sync += [at.eq(0), clearing.eq(1)]
        with m.Elif(clearing):
            m.d.sync += [at.eq(at + 1), clearing.eq(at != cfg.acc_entries - 1)]
        draining, entry, work = Signal(), Signal(cfg.entry_bits), Signal()
        m.d.comb += [
            self.drain.ready.eq(~clearing),
            draining.eq(clearing | self.drain.valid),
            entry.eq(Mux(clearing, at, self.drain.payload)),
            self.i.ready.eq(~draining),
            work.eq(self.i.valid & self.i.ready),
            self.end.eq(work & self.i.p.end), self.busy.eq(work & ~self.i.p.end),
        ]
        on_its_way = Signal(2)
        m.d.sync += on_its_way.eq(Cat(self.drain.valid & self.drain.ready, on_its_way[0]))
        m.d.comb += self.row_valid.eq(on_its_way[1])
        enables = []
        for n in range(cfg.lanes):
            m.submodules[f"mac_{n}"] = mac = Shared(MAC, cfg)
            lane = self.i.p.lanes[n]
            enable = Signal(name=f"enable_{n}")
            m.d.comb += [
                enable.eq(work & lane.enable), mac.operand.enable.eq(enable),
                mac.operand.entry.eq(Mux(draining, entry, lane.entry)),
                mac.operand.weight.eq(lane.weight), mac.value.eq(self.i.p.value),
                mac.drain.eq(draining), self.row[n].eq(mac.sum),
            ]
            enables.append(enable)
        m.d.sync += self.macs.eq(sum(enables[1:], enables[0]))
        return m
