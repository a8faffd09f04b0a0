"""A Reader and a Writer on the bench memory, all of it in one Verilog top."""
from amaranth import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import Reader, Writer, window_layout

SETTINGS = {"latency": 16, "outstanding": 8, "rate_beats": 16, "rate_cycles": 16, "size": 64,
            "fault_addr": 64, "fault_read": 1, "fault_write": 1, "stall_ar": 8, "stall_r": 8,
            "stall_aw": 8, "stall_w": 8, "stall_b": 8, "seed": 32}
UNUSED = ("job", "load", "dump", "dump_first", "dump_last")
STATUS = {"violation": 8, "read_beats": 32, "write_beats": 32, "first_written": 32,
          "last_written": 32}
ADDR_BITS = 20


class DMAInMemory(wiring.Component):
    """``r_*`` are the reader's members, ``w_*`` the writer's; the settings are the memory's.

    `planted`: mutants of the one or the other in its place.
    """
    def __init__(self, data_bits, planted=None, strobes=False, **parameters):
        self.data_bits, self.planted = data_bits, planted
        self.reader, self.writer = (
            planted if hasattr(planted, channel) else cls(ADDR_BITS, data_bits, beats_bits=12,
                                                          **parameters, **more)
            for cls, channel, more in ((Reader, "ar", {}), (Writer, "aw", {"strobes": strobes})))
        members = {"window": In(window_layout(ADDR_BITS)), "stop": In(1)}
        for prefix, block in (("r", self.reader), ("w", self.writer)):
            for name in ("command", "data", "done", "error", "idle", "quiet"):
                if name in block.signature.members:
                    members[f"{prefix}_{name}"] = block.signature.members[name]
        members |= {name: In(width) for name, width in SETTINGS.items()}
        if planted is not None:
            members["mutsel"] = In(planted.mutsel.shape())
        super().__init__(members | {name: Out(width) for name, width in STATUS.items()})

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader, m.submodules.writer = self.reader, self.writer
        if self.planted is not None:
            m.d.comb += self.planted.mutsel.eq(self.mutsel)
        pins = [("i", "clk", ClockSignal()), ("i", "rst", ResetSignal())]
        pins += [("i", name, getattr(self, name)) for name in SETTINGS]
        pins += [("i", name, 0) for name in UNUSED]
        pins += [("o", name, getattr(self, name)) for name in STATUS]
        for prefix, block, channels in (("r", self.reader, "ar r"), ("w", self.writer, "aw w b")):
            m.d.comb += [block.window.eq(self.window), block.stop.eq(self.stop)]
            for name in ("command", "data"):
                wiring.connect(m, wiring.flipped(getattr(self, f"{prefix}_{name}")),
                               getattr(block, name))
            for name in ("done", "error", "idle", "quiet"):
                if hasattr(block, name):
                    m.d.comb += getattr(self, f"{prefix}_{name}").eq(getattr(block, name))
            for channel in channels.split():
                pins += self._pins(block, channel)
        m.submodules.memory = Instance(
            "axi_memory", *pins, p_DATA_BITS=self.data_bits, p_ADDR_BITS=ADDR_BITS,
            p_DEPTH=(1 << ADDR_BITS) * 8 // self.data_bits)
        return m

    @staticmethod
    def _pins(block, channel):
        port, gives = getattr(block, channel), channel in ("ar", "aw", "w")
        pins = [("i" if gives else "o", f"{channel}_valid", port.valid),
                ("o" if gives else "i", f"{channel}_ready", port.ready)]
        for field in port.signature.fields:
            if field not in ("cache", "prot"):
                pins.append(("i" if gives else "o", f"{channel}_{field}",
                             getattr(port.payload, field)))
        return pins
