# Ref: Yang et al., "S2 Engine", section 4.1, Fig. 4: result forwarding.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.stationary.layouts import result_layout
from hw.common.stream.fifo import FIFO


class RF(wiring.Component):
    """Result forwarding: the sums of a row leave it eastwards, in the order of its columns.

    Per kernel, the sums of all PEs to the west pass first, then the PE's own, which waits in a
    register of its own. One sum per cycle, one cycle per PE.

    Parameters
    ----------
    cfg : S2Config

    Members
    -------
    first : In(1)
        Constant: there is no PE to the west.
    sum : In(signed(cfg.acc_bits))
    done : In(1)
        The PE's own sum comes in this cycle; only with ``room``.
    room : Out(1)
        The own register is empty at the start of the cycle.
    i, o : In, Out(stream.Signature(result_layout(cfg)))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        results = stream.Signature(result_layout(cfg))
        super().__init__({
            "first": In(1),
            "sum": In(signed(cfg.acc_bits)),
            "done": In(1),
            "room": Out(1),
            "i": In(results),
            "o": Out(results),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = FIFO(result_layout(self.cfg), 2)
        wiring.connect(m, fifo.o, wiring.flipped(self.o))
        own, full = Signal(signed(self.cfg.acc_bits)), Signal()
        passed, turn = Signal(), Signal()       # the others' sums of this kernel are through
        m.d.comb += [
            self.room.eq(~full),
            turn.eq(passed | self.first),
            self.i.ready.eq(fifo.i.ready & ~turn),
            fifo.i.valid.eq(Mux(turn, full, self.i.valid)),
            fifo.i.p.value.eq(Mux(turn, own, self.i.p.value)),
            fifo.i.p.tail.eq(turn),
        ]
        with m.If(fifo.i.valid & fifo.i.ready):
            m.d.sync += passed.eq(~turn & self.i.p.tail)
            with m.If(turn):
                m.d.sync += full.eq(0)
        with m.If(self.done):
            m.d.sync += [own.eq(self.sum), full.eq(1)]
        return m
