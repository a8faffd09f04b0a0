"""A Top in miniature for the tests of the program runner: copies beats of memory."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.lite_regs import LiteRegs, Register
from hw.common.axi.signature import AXI4LiteSignature, AXI4Signature
from hw.common.shared import Shared


class Inverter(wiring.Component):
    """o = ~i one cycle later."""

    def __init__(self, width):
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(~self.i)
        return m


def register(name, offset, access="rw"):
    return Register(name=name, offset=offset, access=access)


class Copier(wiring.Component):
    """Copies COUNT beats from SOURCE to TARGET, inverted, one at a time; then raises irq.

    With `hold` False it breaks AXI: it takes back its address for a write in every second cycle.
    """

    def __init__(self, data_bits=64, hold=True):
        self.data_bits, self.hold = data_bits, hold
        self.register_map = (register("SOURCE", 0), register("TARGET", 4), register("COUNT", 8),
                             register("GO", 12, "pulse"), register("MOVED", 16, "ro"))
        super().__init__({"control": In(AXI4LiteSignature()), "irq": Out(1),
                          "memory": Out(AXI4Signature(32, data_bits, 1))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.regs = regs = LiteRegs(self.register_map)
        wiring.connect(m, wiring.flipped(self.control), getattr(regs, "bus", None) or regs.control)
        m.submodules.inverter = inverter = Shared(Inverter, self.data_bits)
        memory, beat = self.memory, self.data_bits // 8
        index, toggle = Signal(32), Signal()
        m.d.sync += toggle.eq(~toggle)
        m.d.comb += [
            regs.moved.eq(index),
            memory.ar.payload.addr.eq(regs.source + index * beat),
            memory.aw.payload.addr.eq(regs.target + index * beat),
            memory.w.payload.strb.eq(-1),
            memory.w.payload.last.eq(1),
        ]
        for address in (memory.ar, memory.aw):
            m.d.comb += [address.payload.size.eq(beat.bit_length() - 1),
                         address.payload.burst.eq(1)]
        with m.FSM():
            with m.State("IDLE"), m.If(regs.go[0]):
                m.d.sync += [index.eq(0), self.irq.eq(0)]
                m.next = "READ"
            with m.State("READ"):
                m.d.comb += memory.ar.valid.eq(index != regs.count)
                with m.If(index == regs.count):
                    m.d.sync += self.irq.eq(1)
                    m.next = "IDLE"
                with m.Elif(memory.ar.ready):
                    m.next = "DATA"
            with m.State("DATA"):
                m.d.comb += [memory.r.ready.eq(1), inverter.i.eq(memory.r.payload.data)]
                with m.If(memory.r.valid):
                    m.next = "LATCH"
            with m.State("LATCH"):    # the inverter's output passes on
                held = Signal(self.data_bits)
                m.d.sync += held.eq(inverter.o)
                m.next = "ADDRESS"
            with m.State("ADDRESS"):
                m.d.comb += memory.aw.valid.eq(1 if self.hold else toggle)
                with m.If(memory.aw.valid & memory.aw.ready):
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [memory.w.valid.eq(1), memory.w.payload.data.eq(held)]
                with m.If(memory.w.ready):
                    m.next = "RESPONSE"
            with m.State("RESPONSE"):
                m.d.comb += memory.b.ready.eq(1)
                with m.If(memory.b.valid):
                    m.d.sync += index.eq(index + 1)
                    m.next = "READ"
        return m
