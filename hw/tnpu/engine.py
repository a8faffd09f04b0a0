# Ref: Li et al., "TNPU", ASP-DAC 2019, Fig. 4: the complete accelerator, its bus aside.
from enum import IntEnum

from amaranth import *
from amaranth.lib import wiring

from hw.common.axi.errors import FIRST_DESIGN_CODE, ErrorCode
from hw.common.axi.shell import COUNTER_BITS, engine_members
from hw.common.counters import CauseCounters

from .config import CAUSES, Cause, TNPUConfig
from .control import UnitControl
from .dma import DMA, UNITS
from .layouts import descriptor_layout
from .semaphores import Semaphores
from .transfer import QueueFetch
from .unit import Unit


class TNPUError(IntEnum):
    """TNPU's own error codes; `ErrorCode` has the common ones. Info: the unit, 0 PU-c, 1 PU-f."""

    OPCODE = FIRST_DESIGN_CODE          # not an instruction that the unit can run
    RANGE = FIRST_DESIGN_CODE + 1       # an address beyond its buffer
    BANK = FIRST_DESIGN_CODE + 2        # compute and DMA at the same bank of S
    TOKENS = FIRST_DESIGN_CODE + 3      # a semaphore beyond 255


NAMES = "cf"
# Cycles in which a unit multiplied, computed at all, and its transfers' bursts waited for the bus.
UNIT_COUNTERS = ("multiply", "busy", "bus_wait")
COUNTERS = (*CAUSES, *(f"{count}_{unit}" for unit in NAMES for count in UNIT_COUNTERS), "nans")


class Engine(wiring.Component):
    """TNPU between its descriptors and its DMA: both units, their queues, the semaphores.

    A descriptor seen in cycle s: both queues are asked for from s + 1 on. It is taken in the cycle
    after the one in which the last instruction ends.

    Parameters
    ----------
    cfg : TNPUConfig

    Members
    -------
    As `hw.common.axi.shell.engine_members` says.
    """

    def __init__(self, cfg: TNPUConfig):
        self.cfg = cfg
        super().__init__(engine_members(descriptor_layout(), cfg.addr_bits, cfg.memory_bits,
                                        len(COUNTERS)))

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.semaphores = semaphores = Semaphores(cfg, 2 * UNITS, UNITS + 2)
        m.submodules.dma = dma = DMA(cfg)
        controls, units, fetches = [], [], []
        for k, name in enumerate(NAMES):
            m.submodules[f"control_{name}"] = control = UnitControl(cfg, name)
            m.submodules[f"unit_{name}"] = unit = Unit(cfg, name)
            m.submodules[f"queue_{name}"] = fetch = QueueFetch(cfg)
            controls.append(control)
            units.append(unit)
            fetches.append(fetch)
            self._connect(m, k, control, unit, fetch, dma, semaphores)
        self._bus(m, dma)
        start = self._run(m, controls, dma, semaphores)
        for fetch, name in zip(fetches, NAMES, strict=True):
            m.d.comb += [fetch.start.eq(start),
                         fetch.address.eq(self.descriptor.p[f"queue_{name}"]),
                         fetch.count.eq(self.descriptor.p[f"count_{name}"])]
        self._count(m, controls, units, dma)
        self._errors(m, controls, units, dma, semaphores)
        return m

    def _connect(self, m, k, control, unit, fetch, dma, semaphores):
        setting = control.instruction
        wiring.connect(m, control.request, dma.request[k])
        wiring.connect(m, fetch.o, dma.request[UNITS + k])
        m.d.comb += [
            control.line.eq(dma.line[k]), fetch.taken.eq(control.taken),
            control.offset.eq(self.descriptor.p.offset),
            *(semaphores.ask[2 * k + n].eq(control.ask[n]) for n in range(2)),
            *(control.grant[n].eq(semaphores.grant[2 * k + n]) for n in range(2)),
            semaphores.signal[k].eq(control.signal),
            *(unit.setting[field].eq(setting[field]) for field in unit.setting.shape().members),
            unit.issue.eq(control.issue), unit.bank.eq(setting.bank),
            unit.fill.eq(dma.fill[k]), unit.fetch.eq(dma.fetch[k]), dma.fetched[k].eq(unit.fetched),
        ]

    def _bus(self, m, dma):
        for name in ("read_command", "write_command", "write_data"):
            wiring.connect(m, getattr(dma, name), wiring.flipped(getattr(self, name)))
        wiring.connect(m, wiring.flipped(self.read_data), dma.read_data)
        m.d.comb += [dma.write_done.eq(self.write_done),
                     dma.share.eq(self.descriptor.p.share_c)]

    def _run(self, m, controls, dma, semaphores):
        """A descriptor from its first cycle until every instruction of both queues has ended."""
        running, start = Signal(), Signal()
        left = [Signal(32, name=f"left_{name}") for name in NAMES]
        m.d.comb += [
            start.eq(self.descriptor.valid & ~running), semaphores.clear.eq(start),
            self.descriptor.ready.eq(running & ~left[0].any() & ~left[1].any()),
            self.progress.eq(controls[0].busy | controls[1].busy),
        ]
        for n, finish in enumerate((dma.loaded, dma.stored)):
            m.d.comb += semaphores.signal[UNITS + n].eq(Mux(finish.valid, finish.signal, 0))
        with m.If(start):
            m.d.sync += running.eq(1)
        with m.Elif(self.descriptor.ready):
            m.d.sync += running.eq(0)
        for k, name in enumerate(NAMES):
            ended = Signal(2, name=f"ended_{name}")
            m.d.comb += ended.eq(controls[k].done + (dma.loaded.valid & (dma.loaded.unit == k))
                                 + (dma.stored.valid & (dma.stored.unit == k)))
            m.d.sync += left[k].eq(Mux(start, self.descriptor.p[f"count_{name}"], left[k] - ended))
        return start

    def _count(self, m, controls, units, dma):
        """PE-cycles by cause, cycles of the units, NaNs; the causes are two cycles behind."""
        cfg = self.cfg
        rows = [cfg.rows(name) for name in NAMES]
        m.submodules.causes = causes = CauseCounters(sum(rows), len(CAUSES), COUNTER_BITS)
        m.d.comb += [causes.enable.eq(self.counting), causes.clear.eq(self.clear)]
        for row in range(sum(rows)):
            m.d.comb += causes.cause[row].eq(controls[row >= rows[0]].cause)
        for n in range(len(CAUSES)):
            m.d.comb += self.counts[n].eq(causes.count[n] * cfg.lanes)
        for k, control in enumerate(controls):
            request = dma.request[k]
            for n, condition in enumerate((control.cause == Cause.MULTIPLY, control.busy,
                                           request.valid & ~request.ready)):
                self._counter(m, len(CAUSES) + k * len(UNIT_COUNTERS) + n, condition)
        self._counter(m, len(COUNTERS) - 1, units[0].nans + units[1].nans)

    def _counter(self, m, n, amount):
        with m.If(self.clear):
            m.d.sync += self.counts[n].eq(0)
        with m.Elif(self.counting):
            m.d.sync += self.counts[n].eq(self.counts[n] + amount)

    def _errors(self, m, controls, units, dma, semaphores):
        conditions = [(semaphores.overflow, TNPUError.TOKENS, 0)]
        for k, (control, unit) in enumerate(zip(controls, units, strict=True)):
            conditions += [(unit.bank_error, TNPUError.BANK, k),
                           (unit.range_error, TNPUError.RANGE, k),
                           (control.bad, TNPUError.OPCODE, k)]
        conditions.append((dma.bad_line, ErrorCode.LINE_CRC, 0))
        # A register, held until reset: what DMA moves in this cycle must not depend on it.
        for condition, code, info in conditions:
            with m.If(condition & ~self.error.valid):
                m.d.sync += [self.error.valid.eq(1), self.error.code.eq(code),
                             self.error.info.eq(info)]
