# Ref: Li et al., "TNPU", ASP-DAC 2019, Fig. 4: the control unit.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.stream.fifo import FIFO

from .buffer_controller import BufferController
from .config import Cause, TNPUConfig
from .instruction import LOOPS, Buffer, Op, Opcode
from .layouts import burst_layout, instruction_layout, issue_layout
from .transfer import Transfer


class UnitControl(wiring.Component):
    """A unit's instructions, in order, to its two executors, *compute* and *DMA*.

    Line in cycle t: the instruction can be taken from t + 1 on, once its tokens are there. A
    compute instruction leaves the queue when it is done, a LOAD or STORE when it is taken.

    Parameters
    ----------
    cfg : TNPUConfig
    unit : "c" or "f"

    Members
    -------
    line : In({valid, instruction})
        There is always room: `QueueFetch` asks for no more than fit.
    taken : Out(2)
        Instructions that have left in this cycle.
    offset : In(64)
    ask : Out({valid, mask}).array(2)
        The next compute instruction's tokens, the next transfer's.
    grant : In(1).array(2)
    request : Out(stream.Signature(burst_layout(cfg)))
    instruction : Out(instruction_layout())
        The compute instruction under way.
    issue : Out(issue_layout(cfg, unit))
    busy, done : Out(1)
        A compute instruction is under way; ends in this cycle, and signals `signal`.
    signal : Out(semaphores)
    cause : Out(Cause)
    bad : Out(1)
        Not an instruction that this unit can run.
    """

    def __init__(self, cfg: TNPUConfig, unit: str):
        self.cfg, self.unit = cfg, unit
        ask = data.StructLayout({"valid": 1, "mask": cfg.semaphores})
        super().__init__({
            "line": In(data.StructLayout({"valid": 1, "instruction": instruction_layout()})),
            "taken": Out(2),
            "offset": In(64),
            "ask": Out(ask).array(2),
            "grant": In(1).array(2),
            "request": Out(stream.Signature(burst_layout(cfg))),
            "instruction": Out(instruction_layout()),
            "issue": Out(issue_layout(cfg, unit)),
            "busy": Out(1),
            "done": Out(1),
            "signal": Out(cfg.semaphores),
            "cause": Out(Cause),
            "bad": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, given = self.cfg, self.line.instruction
        is_transfer = given.opcode <= Opcode.STORE
        m.submodules.compute = compute = FIFO(instruction_layout(), cfg.queue_depth)
        m.submodules.transfers = transfers = FIFO(instruction_layout(), cfg.queue_depth)
        m.d.comb += [
            compute.i.valid.eq(self.line.valid & ~is_transfer), compute.i.payload.eq(given),
            transfers.i.valid.eq(self.line.valid & is_transfer), transfers.i.payload.eq(given),
            self.taken.eq((compute.o.valid & compute.o.ready)
                          + (transfers.o.valid & transfers.o.ready)),
        ]
        self._compute(m, compute)
        self._transfer(m, transfers)
        with m.If(self.line.valid & self._unfit(m, given)):
            m.d.sync += self.bad.eq(1)
        self._cause(m)
        return m

    def _compute(self, m, compute):
        m.submodules.nest = nest = BufferController(self.cfg, self.unit)
        head = compute.o.p
        m.d.comb += [
            self.ask[0].valid.eq(compute.o.valid & ~nest.busy), self.ask[0].mask.eq(head.wait),
            nest.start.eq(self.grant[0]), nest.instruction.eq(head),
            compute.o.ready.eq(nest.done), self.instruction.eq(head), self.issue.eq(nest.issue),
            self.busy.eq(nest.busy), self.done.eq(nest.done),
            self.signal.eq(Mux(nest.done, head.signal, 0)),
        ]

    def _transfer(self, m, transfers):
        m.submodules.transfer = transfer = Transfer(self.cfg)
        wiring.connect(m, transfer.o, wiring.flipped(self.request))
        m.d.comb += [
            self.ask[1].valid.eq(transfers.o.valid & transfer.i.ready),
            self.ask[1].mask.eq(transfers.o.p.wait), transfer.i.payload.eq(transfers.o.p),
            transfer.i.valid.eq(self.grant[1]), transfers.o.ready.eq(self.grant[1]),
            transfer.offset.eq(self.offset),
        ]

    def _unfit(self, m, given):
        """Nothing that this unit could start, or finish."""
        unfit = Signal()
        counts = Cat(given[f"count{k}"] == 0 for k in range(LOOPS)).any()
        tokens = Cat(given.wait[self.cfg.semaphores:], given.signal[self.cfg.semaphores:]).any()
        with m.Switch(given.opcode):
            with m.Case(Opcode.LOAD):
                m.d.comb += unfit.eq((given.beats == 0) | (given.chunks == 0) | tokens)
            with m.Case(Opcode.STORE):
                m.d.comb += unfit.eq((given.beats == 0) | (given.chunks == 0) | tokens
                                     | (given.buffer < Buffer.S0))
            with m.Case(Opcode.STREAM, Opcode.LOCAL, Opcode.DRAIN, Opcode.VECTOR, Opcode.POOL):
                m.d.comb += unfit.eq(counts | tokens)
            with m.Default():
                m.d.comb += unfit.eq(1)
        return unfit

    def _cause(self, m):
        """Multiplying, or why not."""
        opcode, op = self.instruction.opcode, self.instruction.op
        multiplies = Signal()
        m.d.comb += multiplies.eq((opcode == Opcode.STREAM) | (opcode == Opcode.LOCAL)
                                  | ((opcode == Opcode.VECTOR)
                                     & ((op == Op.AXPY) | (op == Op.SWAP))))
        with m.If(self.issue.valid):
            m.d.comb += self.cause.eq(Mux(multiplies, Cause.MULTIPLY, Cause.OTHER))
        with m.Elif(self.busy):
            m.d.comb += self.cause.eq(Cause.LATENCY)
        with m.Elif(self.ask[0].valid & ~self.grant[0]):
            m.d.comb += self.cause.eq(Cause.WAIT)
        with m.Elif(self.grant[0]):
            m.d.comb += self.cause.eq(Cause.LATENCY)
