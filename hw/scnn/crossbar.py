"""The scatter crossbar: from F x I multipliers to A accumulator banks.

Ref: Parashar et al., "SCNN", ISCA 2017, Section IV, Fig. 6: scatter crossbar with arbitration. The
queues in front of it are this design's: without them the slowest bank holds every vector up.
"""
from functools import reduce
from operator import or_

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.stream.fifo import FIFO

from .accumulator import fill_layout
from .coordinates import bank_of, entry_of
from .multiplier_array import products_layout


class Crossbar(wiring.Component):
    """Queues each lane's products by bank parity, and sends to every bank one queue's head.

    A vector is taken whole, in the first cycle in which the queue of each valid product has fewer
    than ``queue_depth`` products (at the start of the cycle). A product taken in cycle t can leave
    from t + 1 on. Every cycle each bank takes one of the queue heads that want it: of the lowest
    lane in even cycles, of the highest in odd ones; the cycle of ``phase_reset`` is an even one.

    Throughput: one vector per cycle while the banks keep up; one product per bank and cycle.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    i : In(stream.Signature(products_layout(cfg)))
        ``i.ready`` follows ``i.payload`` in the same cycle.
    o : Out(fill_layout(cfg)).array(acc_banks)
        Combinational from the queues; never waits.
    phase_reset : In(1)
    empty : Out(1)
        No queue holds a product.
    """
    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(products_layout(cfg))),
            "o": Out(fill_layout(cfg)).array(cfg.acc_banks),
            "phase_reset": In(1),
            "empty": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        odd = Signal()
        m.d.sync += odd.eq(~odd | self.phase_reset)
        lanes = range(cfg.lanes)
        shape = data.StructLayout({"bank": cfg.bank_bits - 1, "entry": cfg.entry_bits,
                                   "value": signed(cfg.acc_bits)})
        refuse, holds = Signal(cfg.lanes), Signal(2 * cfg.lanes)
        m.d.comb += [self.i.ready.eq(~refuse.any()), self.empty.eq(~holds.any())]
        queues = []
        for lane in lanes:
            product = self.i.payload[lane]
            bank = Signal(cfg.bank_bits, name=f"bank_{lane}")
            m.d.comb += bank.eq(bank_of(cfg, product.address))
            for parity in range(2):
                queue = FIFO(shape, cfg.queue_depth)
                m.submodules[f"queue_{lane}_{('even', 'odd')[parity]}"] = queue
                queues.append(queue)
                m.d.comb += [
                    queue.i.valid.eq(self.i.valid & self.i.ready & product.valid
                                     & (bank[0] == parity)),
                    queue.i.payload.bank.eq(bank[1:]),
                    queue.i.payload.entry.eq(entry_of(cfg, product.address)),
                    queue.i.payload.value.eq(product.value),
                    holds[2 * lane + parity].eq(queue.o.valid),
                ]
            full = Mux(bank[0], ~queues[-1].i.ready, ~queues[-2].i.ready)
            m.d.comb += refuse[lane].eq(product.valid & full)
        for parity in range(2):
            self._arbitrate(m, queues[parity::2], odd, self.o[parity::2])
        return m

    def _arbitrate(self, m, queues, odd, banks):
        """Heads of one parity's queues to its banks."""
        lanes, width = len(queues), len(banks)
        wants = [Signal(width, name=f"wants_{lane}") for lane in range(lanes)]    # one-hot
        below = [Signal(width, name=f"below_{lane}") for lane in range(lanes)]    # lower lanes'
        above = [Signal(width, name=f"above_{lane}") for lane in range(lanes)]
        wins = [Signal(width, name=f"wins_{lane}") for lane in range(lanes)]
        for lane, queue in enumerate(queues):
            m.d.comb += [
                wants[lane].eq(queue.o.valid << queue.o.payload.bank),
                below[lane].eq(wants[lane - 1] | below[lane - 1] if lane else 0),
                above[lane].eq(wants[lane + 1] | above[lane + 1] if lane + 1 < lanes else 0),
                wins[lane].eq(wants[lane] & ~Mux(odd, above[lane], below[lane])),
                queue.o.ready.eq(wins[lane].any()),
            ]
        for n, bank in enumerate(banks):
            winners = [Mux(wins[lane][n], queue.o.payload.as_value(), 0)
                       for lane, queue in enumerate(queues)]
            head = Signal.like(queues[0].o.payload, name=f"head_{n}")
            m.d.comb += [head.as_value().eq(reduce(or_, winners)),
                         bank.valid.eq((wants[0] | below[0] | above[0])[n]),
                         bank.entry.eq(head.entry), bank.value.eq(head.value)]
