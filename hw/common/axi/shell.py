"""The shell around an accelerator: registers, descriptor list, DMA, errors, recovery.

An engine (see `engine_members`) runs one layer per descriptor; the shell fetches the descriptors,
checks them, gives the engine the DMA, and ends in an idle machine whatever happens.

Cycles: the write of CONTROL.start is taken in cycle t; STATUS.busy rises at the end of t + 1.
FETCH begins in t + 2, in which the `Reader` takes the command for the first descriptor (AR is
valid in t + 5). If the descriptor's last beat leaves the Reader in cycle d, the engine sees the
descriptor from d + 3. If the engine takes it in cycle e, the next FETCH begins in e + 1; after the
last one busy falls and ``irq`` rises at the end of e + 2 (later if the DMA is not idle in e + 1).
CYCLES is (e + 2) - t, from the edge that takes the start to the edge that raises ``irq``.

An error seen in cycle e (the first one wins): no burst is issued from e + 1 on if it is the DMA's,
from e + 2 on if not; those begun are completed; when the bus is quiet in cycle q, engine and DMA
are reset in q + 1, and ``irq`` rises at the end of q + 2. The engine's counters are 0 after that.
"""
from functools import cached_property

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import Reader, Writer, command_layout
from hw.common.axi.errors import ErrorCode
from hw.common.axi.lines import beat_layout
from hw.common.axi.lite_regs import Field, LiteRegs, Register
from hw.common.axi.signature import AXI4LiteSignature, AXI4Signature
from hw.common.crc import INIT, crc32_step

COUNTER_BITS = 48
COUNTERS_OFFSET = 0x100
BEATS_BITS = 24


def engine_members(descriptor, addr_bits, data_bits, counters, strobes=False):
    """Members of an engine that a `Shell` can hold.

    descriptor : held from its first cycle until it is taken, which ends the layer
    read_command, read_data, write_command, write_data : the DMA's streams; commands are offered
        only while a descriptor is; with `strobes`, written beats say which of their bytes are
    write_done : a pulse per region written, its responses there
    progress : anything moved; the watchdog counts cycles without it
    clear, counting, counts : clear the counters; they run; their values, in order of the names
    error : valid with a code (design codes from FIRST_DESIGN_CODE) and what it is about
    """
    command = stream.Signature(command_layout(addr_bits, BEATS_BITS))
    beats = stream.Signature(beat_layout(data_bits))
    return {
        "descriptor": In(stream.Signature(descriptor)),
        "read_command": Out(command),
        "read_data": In(beats),
        "write_command": Out(command),
        "write_data": Out(stream.Signature(beat_layout(data_bits, strobes))),
        "write_done": In(1),
        "progress": Out(1),
        "clear": In(1),
        "counting": In(1),
        "counts": Out(COUNTER_BITS).array(counters),
        "error": Out(data.StructLayout({"valid": 1, "code": 8, "info": 16})),
    }


def shell_registers(identification, version, counters):
    """The register map: common part, then two words per counter."""
    def word(name, offset, access="rw", **rest):
        return Register(name=name, offset=offset, access=access, **rest)
    common = [
        word("ID", 0x00, "ro", doc=f"{identification:#x}: which design"),
        word("VERSION", 0x04, "ro", doc=f"{version}"),
        word("CONTROL", 0x08, "pulse", width=2, doc="start, stop", fields=(
            Field(name="start", lsb=0), Field(name="stop", lsb=1))),
        word("STATUS", 0x0c, "ro", width=3, doc="busy, done, error", fields=(
            Field(name="busy", lsb=0), Field(name="done", lsb=1), Field(name="error", lsb=2))),
        word("ERROR", 0x10, "ro", width=8, doc="code of the first error"),
        word("ERROR_INFO", 0x14, "ro", doc="layer in bits 31:16, the design's detail below"),
        word("DESC_ADDR_LO", 0x18, lockable=True, doc="first descriptor, byte address"),
        word("DESC_ADDR_HI", 0x1c, lockable=True),
        word("DESC_COUNT", 0x20, lockable=True, doc="descriptors to run"),
        word("LAYER", 0x24, "ro", doc="descriptors finished"),
        word("WINDOW_BASE_LO", 0x28, lockable=True, doc="first byte that may be touched"),
        word("WINDOW_BASE_HI", 0x2c, lockable=True),
        word("WINDOW_SIZE_LO", 0x30, lockable=True, init=0xffff_ffff, doc="bytes"),
        word("WINDOW_SIZE_HI", 0x34, lockable=True, init=0xffff_ffff),
        word("IRQ_ENABLE", 0x38, width=1, init=1),
        word("IRQ_STATUS", 0x3c, "w1c", width=1, doc="a run ended"),
        word("CYCLES_LO", 0x40, "ro", doc="clk from start to irq"),
        word("CYCLES_HI", 0x44, "ro"),
    ]
    for n, name in enumerate(counters):
        offset = COUNTERS_OFFSET + 8 * n
        common += [word(f"{name.upper()}_LO", offset, "ro"),
                   word(f"{name.upper()}_HI", offset + 4, "ro", width=COUNTER_BITS - 32)]
    return tuple(common)


class Shell(wiring.Component):
    """Registers, descriptor fetch and DMA around an engine.

    Addresses that do not fit ``addr_bits`` end in READ_WINDOW; a larger WINDOW_SIZE means all.

    The first error wins: no further burst is issued, those begun are completed, then engine and DMA
    are reset for a cycle and the machine is idle again, with STATUS.error and ``irq``.

    Parameters
    ----------
    engine : component with `engine_members`
    descriptor : layout whose last 32 bits are the CRC-32 of what stands before
    counters : sequence of str
    identification, version : int
    addr_bits, data_bits : int
    watchdog : int
        Cycles without progress that end a run; 0: none.
    max_burst, outstanding : int
        Of both DMA directions.
    write_buffer : int or None
        Beats that the `Writer` holds; None: its own default.
    strobes : bool
        As `engine_members` was told.

    Members
    -------
    control : In(AXI4LiteSignature())
    memory : Out(AXI4Signature(addr_bits, data_bits))
    irq : Out(1)
        High from a run's end to the next start, or until IRQ_STATUS is cleared.
    """

    def __init__(self, engine, descriptor, *, counters, identification, version, addr_bits,
                 data_bits, watchdog=1 << 16, max_burst=16, outstanding=8,
                 write_buffer=None, strobes=False):
        self.engine, self.descriptor, self.counters = engine, descriptor, tuple(counters)
        self.identification, self.version = identification, version
        self.addr_bits, self.data_bits, self.watchdog = addr_bits, data_bits, watchdog
        self.write_buffer, self.strobes = write_buffer, strobes
        self.dma = {"beats_bits": BEATS_BITS, "max_burst": max_burst, "outstanding": outstanding}
        self.register_map = shell_registers(identification, version, self.counters)
        self.beats = -(-descriptor.size // data_bits)
        super().__init__({
            "control": In(AXI4LiteSignature()),
            "memory": Out(AXI4Signature(addr_bits, data_bits, 1)),
            "irq": Out(1),
        })

    @cached_property
    def regs(self):
        """Made at first use, so that a proof can begin with other registers."""
        return LiteRegs(self.register_map)

    def elaborate(self, platform):
        m = Module()
        reset, busy, failed = Signal(), Signal(), Signal()
        m.domains.engine = inner = ClockDomain("engine", local=True)
        m.d.comb += [inner.clk.eq(ClockSignal()), inner.rst.eq(ResetSignal() | reset)]
        m.submodules.regs = regs = self.regs
        reader = Reader(self.addr_bits, self.data_bits, **self.dma)
        writer = Writer(self.addr_bits, self.data_bits, **self.dma, buffer=self.write_buffer,
                        strobes=self.strobes)
        engine = self.engine
        for name, block in (("reader", reader), ("writer", writer), ("engine", engine)):
            m.submodules[name] = DomainRenamer("engine")(block)
        fetching, begin, end, bad = Signal(), Signal(), Signal(), Signal()
        m.d.comb += begin.eq(regs.control[0] & ~busy)
        descriptor, whole, good = self._fetch(m, regs, reader, fetching, begin)
        error = self._first_error(m, regs, reader, writer, bad, busy)
        self._bus(m, regs, reader, writer)
        self._connect(m, reader, writer, fetching, busy)
        m.d.comb += [engine.clear.eq(begin), engine.counting.eq(busy),
                     engine.descriptor.payload.eq(descriptor)]

        layer, stop = Signal(32), Signal()
        m.d.comb += [reader.stop.eq(stop), writer.stop.eq(stop), regs.layer.eq(layer)]
        with m.If(error.valid & ~failed):
            m.d.sync += [failed.eq(1), regs.error.eq(error.code),
                         regs.error_info.eq(Cat(error.info, layer[:16]))]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(begin):
                    m.d.sync += [busy.eq(1), failed.eq(0), layer.eq(0), regs.error.eq(0),
                                 regs.error_info.eq(0)]
                    m.next = "FETCH"
            with m.State("FETCH"):
                with m.If(error.valid):
                    m.next = "STOP"
                with m.Elif(layer == regs.desc_count):
                    with m.If(reader.idle & writer.idle):
                        m.next = "END"
                with m.Else():
                    m.d.comb += fetching.eq(1)
                    with m.If(whole):
                        m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += bad.eq(~good)
                m.next = "RUN"
                with m.If(error.valid):
                    m.next = "STOP"
            with m.State("RUN"):
                m.d.comb += engine.descriptor.valid.eq(1)
                with m.If(error.valid):
                    m.next = "STOP"
                with m.Elif(engine.descriptor.ready):
                    m.d.sync += layer.eq(layer + 1)
                    m.next = "FETCH"
            with m.State("STOP"):
                m.d.comb += stop.eq(1)
                with m.If(reader.quiet & writer.quiet):
                    m.next = "RESET"
            with m.State("RESET"):
                m.d.comb += [stop.eq(1), reset.eq(1)]
                m.next = "END"
            with m.State("END"):
                m.d.comb += end.eq(1)
                m.d.sync += busy.eq(0)
                m.next = "IDLE"
        self._registers(m, regs, busy, failed, begin, end)
        return m

    def _bus(self, m, regs, reader, writer):
        wiring.connect(m, wiring.flipped(self.control), regs.bus)
        for block, channels in ((reader, ("ar", "r")), (writer, ("aw", "w", "b"))):
            for name in channels:
                wiring.connect(m, getattr(block, name), wiring.flipped(getattr(self.memory, name)))
            size = Cat(regs.window_size_lo, regs.window_size_hi)
            m.d.comb += [
                block.window.base.eq(Cat(regs.window_base_lo, regs.window_base_hi)),
                block.window.size.eq(Mux(size[self.addr_bits:].any(), 1 << self.addr_bits, size)),
            ]

    def _fetch(self, m, regs, reader, fetching, begin):
        """Collects a descriptor's beats; returns it, that it is complete, that its CRC is good."""
        beats, bits = Signal(self.beats * self.data_bits), self.data_bits
        at, asked = Signal(range(self.beats + 1)), Signal()
        address = Signal(self.addr_bits)
        whole, good = Signal(), Signal()
        m.d.comb += whole.eq(at == self.beats)
        with m.If(fetching):
            m.d.comb += [
                reader.command.valid.eq(~asked), reader.command.p.address.eq(address),
                reader.command.p.beats.eq(self.beats), reader.data.ready.eq(~whole),
            ]
            with m.If(reader.command.valid & reader.command.ready):
                m.d.sync += asked.eq(1)
            with m.If(reader.data.valid & ~whole):
                m.d.sync += [beats.eq(Cat(beats, reader.data.p.data)[bits:]), at.eq(at + 1)]
        with m.If(whole):
            m.d.sync += [at.eq(0), asked.eq(0), address.eq(address + self.beats * bits // 8)]
        with m.If(begin):
            m.d.sync += [at.eq(0), asked.eq(0),
                         address.eq(Cat(regs.desc_addr_lo, regs.desc_addr_hi))]
        size = self.descriptor.size
        m.d.sync += good.eq(~crc32_step(INIT, beats[:size - 32]) == beats[size - 32:size])
        return beats[:size], whole, good

    def _connect(self, m, reader, writer, fetching, busy):
        """The engine has the DMA but for the fetch of descriptors."""
        engine = self.engine
        with m.If(~fetching & busy):
            m.d.comb += [
                reader.command.valid.eq(engine.read_command.valid),
                reader.command.payload.eq(engine.read_command.payload),
                engine.read_command.ready.eq(reader.command.ready),
                engine.read_data.valid.eq(reader.data.valid),
                reader.data.ready.eq(engine.read_data.ready),
            ]
        m.d.comb += engine.read_data.payload.eq(reader.data.payload)
        wiring.connect(m, engine.write_command, writer.command)
        wiring.connect(m, engine.write_data, writer.data)
        m.d.comb += engine.write_done.eq(writer.done.valid)

    def _first_error(self, m, regs, reader, writer, bad, busy):
        """What ends the run, of this cycle; the last described wins."""
        engine = self.engine
        error = Signal(engine.error.shape())
        quiet = Signal(range(self.watchdog + 2))
        moved = Signal()
        m.d.comb += moved.eq(engine.progress | (reader.data.valid & reader.data.ready)
                             | (writer.data.valid & writer.data.ready) | ~busy)
        m.d.sync += quiet.eq(Mux(moved, 0, quiet + 1))
        addresses = (Cat(regs.desc_addr_lo, regs.desc_addr_hi),
                     Cat(regs.window_base_lo, regs.window_base_hi))
        too_wide = Cat(address[self.addr_bits:] for address in addresses).any()
        silent = (quiet == self.watchdog) if self.watchdog else Const(0)
        for condition, code, info in (
                (silent, ErrorCode.WATCHDOG, 0), (regs.control[1], ErrorCode.STOPPED, 0),
                (bad, ErrorCode.DESCRIPTOR_CRC, 0), (too_wide, ErrorCode.READ_WINDOW, 0),
                (engine.error.valid, engine.error.code, engine.error.info),
                (writer.error.valid, writer.error.code, 0),
                (reader.error.valid, reader.error.code, 0)):
            with m.If(condition & busy):
                m.d.comb += [error.valid.eq(1), error.code.eq(code), error.info.eq(info)]
        return error

    def _registers(self, m, regs, busy, failed, begin, end):
        engine = self.engine
        done, cycles = Signal(), Signal(64)
        with m.If(begin):
            m.d.sync += [done.eq(0), cycles.eq(1)]     # the pulse's own cycle
        with m.Elif(busy):
            m.d.sync += cycles.eq(cycles + 1)
        with m.If(end):
            m.d.sync += done.eq(1)
        m.d.comb += [
            regs.id.eq(self.identification), regs.version.eq(self.version),
            regs.status.eq(Cat(busy, done, failed)), regs.lock.eq(busy),
            regs.cycles_lo.eq(cycles[:32]), regs.cycles_hi.eq(cycles[32:]),
            regs.irq_status_set.eq(end),
            self.irq.eq(regs.irq_status & regs.irq_enable & ~busy),
        ]
        for n, name in enumerate(self.counters):
            m.d.comb += [getattr(regs, f"{name}_lo").eq(engine.counts[n][:32]),
                         getattr(regs, f"{name}_hi").eq(engine.counts[n][32:])]
