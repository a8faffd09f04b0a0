# Ref: Li et al., "TNPU", ASP-DAC 2019, Section 4: the control unit; tokens instead of a scoreboard.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree

from .config import TNPUConfig

COUNT_BITS = 8


class Semaphores(wiring.Component):
    """Counters of tokens that instructions wait for and signal.

    An executor asks with the mask of its next instruction and is granted when each semaphore of the
    mask is above 0 (counts at the start of the cycle) and no executor before it takes one of them
    in the same cycle; it then takes one token of each. A signal in cycle t is seen from t + 1 on.

    Parameters
    ----------
    cfg : TNPUConfig
    askers : int
        Executors that wait.
    signallers : int
        Sources of signals, one mask each per cycle.

    Members
    -------
    ask : In({valid, mask}).array(askers)
        Held until granted.
    grant : Out(1).array(askers)
        Taken in this cycle.
    signal : In(semaphores).array(signallers)
    clear : In(1)
        All to 0.
    overflow : Out(1)
        More than 255 tokens; holds until reset.
    """

    def __init__(self, cfg: TNPUConfig, askers: int, signallers: int):
        self.cfg, self.askers, self.signallers = cfg, askers, signallers
        super().__init__({
            "ask": In(data.StructLayout({"valid": 1, "mask": cfg.semaphores})).array(askers),
            "grant": Out(1).array(askers),
            "signal": In(cfg.semaphores).array(signallers),
            "clear": In(1),
            "overflow": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        n = self.cfg.semaphores
        there = Signal(n)
        taken = [Signal(n, name=f"taken_{k}") for k in range(self.askers + 1)]
        for k, ask in enumerate(self.ask):
            m.d.comb += [
                self.grant[k].eq(ask.valid & ~(ask.mask & (~there | taken[k])).any()),
                taken[k + 1].eq(taken[k] | Mux(self.grant[k], ask.mask, 0)),
            ]
        beyond = Signal(n)
        for k in range(n):
            count = Signal(COUNT_BITS, name=f"count_{k}")
            added = adder_tree([signal[k] for signal in self.signal], m=m, name=f"added_{k}")
            after = Signal(COUNT_BITS + 1, name=f"after_{k}")
            m.d.comb += [there[k].eq(count != 0), beyond[k].eq(after[COUNT_BITS]),
                         after.eq(count + added - taken[-1][k])]
            m.d.sync += count.eq(Mux(self.clear, 0, after))
        with m.If(beyond.any()):
            m.d.sync += self.overflow.eq(1)
        return m
