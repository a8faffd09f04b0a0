# Ref: Li et al., "TNPU", ASP-DAC 2019, Fig. 4: DMA; Section 4.1: the bandwidth.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.dma import command_layout
from hw.common.axi.lines import LineReader, beat_layout
from hw.common.axi.shell import BEATS_BITS
from hw.common.stream.arbiter import lowest, pick
from hw.common.stream.fifo import FIFO

from .config import BURST, IN_FLIGHT, TNPUConfig
from .instruction import ADDRESS
from .layouts import burst_layout, fetch_layout, fill_layout, instruction_layout

UNITS = 2
REQUESTS = 2 * UNITS        # PU-c's and PU-f's DMA, then their queues
PARTS = 256                 # of the bus


def finish_layout(cfg: TNPUConfig):
    """A LOAD or STORE has ended in this cycle."""
    return data.StructLayout({"valid": 1, "unit": 1, "signal": cfg.semaphores})


class Rate(wiring.Component):
    """Who may use the bus: a debt of beats that time pays off.

    ``rate_beats`` beats in ``rate_cycles`` cycles, reads and writes together; with a ``share`` each
    unit has its part and a debt of its own. A burst may be granted while the debt is less than what
    a cycle pays off.

    Members
    -------
    share : In(8)
        Of `PARTS` parts of the bus PU-c's, the rest PU-f's; 0: one bus for both. Counts from the
        next cycle on.
    allowed : Out(UNITS)
    granted : In(UNITS)
        At most one.
    beats : In(range(BURST + 1))
    """

    def __init__(self, cfg: TNPUConfig):
        self.cfg = cfg
        super().__init__({"share": In(8), "allowed": Out(UNITS), "granted": In(UNITS),
                          "beats": In(range(BURST + 1))})

    def elaborate(self, platform):
        m = Module()
        common, may = Signal(), Signal(UNITS)       # one debt, PU-c's, is both units'
        m.d.sync += common.eq(self.share == 0)
        self._debt(m, 0, Mux(self.share == 0, PARTS, self.share),
                   self.granted[0] | common & self.granted[1], may[0])
        self._debt(m, 1, PARTS - self.share, self.granted[1], may[1])
        m.d.comb += self.allowed.eq(Mux(common, may[0].replicate(UNITS), may))
        return m

    def _debt(self, m, unit, part, granted, allowed):
        """A debt that ``part`` of `PARTS` of the bus pays off, counted in parts of a beat."""
        price, most = PARTS * self.cfg.rate_cycles, PARTS * self.cfg.rate_beats
        earned = Signal(range(most + 1), name=f"earned_{unit}")
        debt = Signal(range(BURST * price + most + 1), name=f"debt_{unit}")
        after = Signal(len(debt) + 1, name=f"after_{unit}")
        m.d.sync += earned.eq(part * self.cfg.rate_beats)
        m.d.comb += [allowed.eq(debt < earned),
                     after.eq(debt + Mux(granted, self.beats * price, 0))]
        m.d.sync += debt.eq(Mux(after > earned, after - earned, 0))


class DMA(wiring.Component):
    """Grants bursts to the units' transfers and queues, and moves their beats.

    One burst is granted per cycle at most, round robin: the first in the order of `REQUESTS` after
    the one granted last, among those that `Rate` and the bursts under way (`IN_FLIGHT` each way)
    allow. A read granted in g is written to its buffer from cycle g + 5 + latency on (later if
    beats before it are), a beat per cycle. Writes queue; one that begins in p reads S in p + 1 ...
    p + n, the next begins in p + n at the earliest; p is g + 1 at the earliest.

    Parameters
    ----------
    cfg : TNPUConfig

    Members
    -------
    share : In(8)
        As `Rate` has it.
    request : In(stream.Signature(burst_layout(cfg))).array(REQUESTS)
    read_command, read_data, write_command, write_data, write_done
        As an engine has them; ``write_data`` must always be ready while a region is open.
    fill : Out(fill_layout(cfg)).array(UNITS)
    fetch : Out(fetch_layout()).array(UNITS)
    fetched : In(cfg.memory_bits).array(UNITS)
        The word fetched in the cycle before.
    line : Out({valid, instruction}).array(UNITS)
        An instruction has come; taken at once.
    loaded, stored : Out(finish_layout(cfg))
    bad_line : Out(1)
        A line's CRC is wrong; holds until reset.
    """

    def __init__(self, cfg: TNPUConfig):
        self.cfg = cfg
        command = stream.Signature(command_layout(cfg.addr_bits, BEATS_BITS))
        beats = stream.Signature(beat_layout(cfg.memory_bits))
        line = data.StructLayout({"valid": 1, "instruction": instruction_layout()})
        super().__init__({
            "share": In(8),
            "request": In(stream.Signature(burst_layout(cfg))).array(REQUESTS),
            "read_command": Out(command),
            "read_data": In(beats),
            "write_command": Out(command),
            "write_data": Out(beats),
            "write_done": In(1),
            "fill": Out(fill_layout(cfg)).array(UNITS),
            "fetch": Out(fetch_layout()).array(UNITS),
            "fetched": In(cfg.memory_bits).array(UNITS),
            "line": Out(line).array(UNITS),
            "loaded": Out(finish_layout(cfg)),
            "stored": Out(finish_layout(cfg)),
            "bad_line": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        ticket = data.StructLayout({"queue": 1, "unit": 1, "burst": burst_layout(self.cfg)})
        grant, chosen = Signal(REQUESTS), Signal(ticket)
        m.submodules.reads = reads = FIFO(ticket, IN_FLIGHT)
        m.submodules.writes = writes = FIFO(ticket, IN_FLIGHT)
        m.submodules.answers = answers = FIFO(ticket, IN_FLIGHT)
        self._arbitrate(m, grant, chosen, reads, answers)
        self._read(m, grant, chosen, reads)
        self._store(m, grant, chosen, writes, answers)
        return m

    def _arbitrate(self, m, grant, chosen, reads, answers):
        m.submodules.rate = rate = Rate(self.cfg)
        asks, after = Signal(REQUESTS), Signal(REQUESTS)
        for k, request in enumerate(self.request):
            free = Mux(request.p.write, answers.i.ready, reads.i.ready)
            m.d.comb += [asks[k].eq(request.valid & rate.allowed[k % UNITS] & free),
                         request.ready.eq(grant[k])]
        preferred = Signal(REQUESTS)
        m.d.comb += [
            preferred.eq(asks & after),
            grant.eq(Mux(preferred.any(), lowest(preferred), lowest(asks))),
            chosen.burst.eq(pick(grant, [request.payload for request in self.request])),
            chosen.queue.eq(grant[UNITS:].any()), chosen.unit.eq(grant[1::2].any()),
            rate.granted.eq(Cat(grant[k::UNITS].any() for k in range(UNITS))),
            rate.beats.eq(chosen.burst.beats), rate.share.eq(self.share),
        ]
        with m.If(grant.any()):
            m.d.sync += after.eq(-(grant << 1))

    def _read(self, m, grant, chosen, reads):
        """Beats come back in the order of the grants; the ticket says where they belong."""
        ticket, beat, count = reads.o.p, self.read_data, Signal(range(BURST))
        last, take = Signal(), Signal()
        # As deep as `reads`, so never full: the grant need not wait for the reader.
        m.submodules.commands = commands = FIFO(self.read_command.payload.shape(), IN_FLIGHT)
        wiring.connect(m, commands.o, wiring.flipped(self.read_command))
        m.d.comb += [
            commands.i.valid.eq(grant.any() & ~chosen.burst.write),
            commands.i.p.address.eq(chosen.burst.address),
            commands.i.p.beats.eq(chosen.burst.beats),
            reads.i.valid.eq(commands.i.valid), reads.i.payload.eq(chosen),
            beat.ready.eq(1), take.eq(beat.valid), last.eq(count + 1 == ticket.burst.beats),
            reads.o.ready.eq(take & last),
        ]
        with m.If(take):
            m.d.sync += count.eq(Mux(last, 0, count + 1))
        for unit, fill in enumerate(self.fill):
            m.d.comb += [
                fill.valid.eq(take & ~ticket.queue & (ticket.unit == unit)),
                fill.buffer.eq(ticket.burst.buffer), fill.word.eq(ticket.burst.word + count),
                fill.data.eq(beat.p.data),
            ]
        m.d.comb += [
            self.loaded.valid.eq(take & last & ticket.burst.last & ~ticket.queue),
            self.loaded.unit.eq(ticket.unit), self.loaded.signal.eq(ticket.burst.signal),
        ]
        self._lines(m, take & ticket.queue, ticket.unit)

    def _lines(self, m, take, unit):
        m.submodules.lines = lines = LineReader(instruction_layout(), self.cfg.memory_bits)
        of = Signal()
        m.d.comb += [lines.i.valid.eq(take), lines.i.p.data.eq(self.read_data.p.data),
                     lines.o.ready.eq(1), self.bad_line.eq(lines.error)]
        with m.If(take):
            m.d.sync += of.eq(unit)
        for k, line in enumerate(self.line):
            m.d.comb += [line.valid.eq(lines.o.valid & (of == k)),
                         line.instruction.eq(lines.o.p.content)]

    def _store(self, m, grant, chosen, writes, answers):
        """Bursts to the Writer one after the other; S is read two cycles before a beat leaves."""
        begin, burst = Signal(), Signal(burst_layout(self.cfg))
        unit, left, word = Signal(), Signal(range(BURST + 1)), Signal(ADDRESS)
        wanted = Signal()
        m.d.comb += [
            wanted.eq(grant.any() & chosen.burst.write),
            writes.i.valid.eq(wanted), writes.i.payload.eq(chosen),
            answers.i.valid.eq(wanted), answers.i.payload.eq(chosen),
            begin.eq(writes.o.valid & (left <= 1) & self.write_command.ready),
            self.write_command.valid.eq(writes.o.valid & (left <= 1)),
            self.write_command.p.address.eq(writes.o.p.burst.address),
            self.write_command.p.beats.eq(writes.o.p.burst.beats),
            writes.o.ready.eq(begin),
        ]
        with m.If(begin):
            m.d.sync += [burst.eq(writes.o.p.burst), unit.eq(writes.o.p.unit),
                         left.eq(writes.o.p.burst.beats), word.eq(writes.o.p.burst.word)]
        with m.Elif(left != 0):
            m.d.sync += [left.eq(left - 1), word.eq(word + 1)]
        offered, of, final = Signal(), Signal(), Signal()
        m.d.sync += [offered.eq(left != 0), of.eq(unit), final.eq(left == 1)]
        for k, fetch in enumerate(self.fetch):
            m.d.comb += [fetch.valid.eq((left != 0) & (unit == k)), fetch.bank.eq(burst.buffer[0]),
                         fetch.word.eq(word)]
        m.d.comb += [
            self.write_data.valid.eq(offered), self.write_data.p.last.eq(final),
            self.write_data.p.data.eq(Mux(of, self.fetched[1], self.fetched[0])),
            answers.o.ready.eq(self.write_done),
            self.stored.valid.eq(self.write_done & answers.o.p.burst.last),
            self.stored.unit.eq(answers.o.p.unit),
            self.stored.signal.eq(answers.o.p.burst.signal),
        ]

