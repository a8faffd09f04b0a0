"""The scatter crossbar: from F x I multipliers to A accumulator banks.

Ref: Parashar et al., "SCNN", ISCA 2017, Section IV, Fig. 6: scatter crossbar with arbitration. The
queues in front of it are this design's: without them the slowest bank holds every vector up.
"""
from functools import reduce
from operator import and_, or_

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

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
        refuse = Signal(cfg.lanes)
        m.d.comb += self.i.ready.eq(~refuse.any())
        sides = [_Side(m, cfg, name) for name in ("even", "odd")]
        for lane, product in enumerate(self.i.payload):
            bank = Signal(cfg.bank_bits, name=f"bank_{lane}")
            m.d.comb += [
                bank.eq(bank_of(cfg, product.address)),
                refuse[lane].eq(product.valid & Mux(bank[0], sides[1].full[lane],
                                                    sides[0].full[lane])),
            ]
            for parity, side in enumerate(sides):
                m.d.comb += side.push[lane].eq(self.i.valid & self.i.ready & product.valid
                                               & (bank[0] == parity))
                side.queue(lane, bank[1:], product)
        for parity, side in enumerate(sides):
            side.arbitrate(odd, self.o[parity::2])
        m.d.comb += self.empty.eq(~(sides[0].holds.any() | sides[1].holds.any()))
        return m


class _Side:
    """The queues of one bank parity, a lane each, and the way from their heads to those banks.

    Control is bit-parallel: bit n of every vector belongs to lane n. (One FIFO component per queue
    took half of the crossbar's time in simulation.)
    """
    def __init__(self, m, cfg, name):
        self.m, self.cfg, self.name = m, cfg, name
        self.push = self._vector("push")
        self.pop = self._vector("pop")
        # level[k]: more than k products are queued
        self.level = [self._vector(f"level_{k}") for k in range(cfg.queue_depth)]
        self.heads = []
        self._count()
        self.write_row, self.read_row = self._ring("write", self.push), self._ring("read", self.pop)

    @property
    def full(self):
        return self.level[-1]

    @property
    def holds(self):
        return self.level[0]

    def _vector(self, what):
        return Signal(self.cfg.lanes, name=f"{self.name}_{what}")

    def _count(self):
        up, down = self._vector("up"), self._vector("down")
        self.m.d.comb += [up.eq(self.push & ~self.pop), down.eq(self.pop & ~self.push)]
        ones = Const(-1, self.cfg.lanes)
        for k, level in enumerate(self.level):
            fewer = self.level[k - 1] if k else ones
            more = self.level[k + 1] if k + 1 < len(self.level) else Const(0)
            self.m.d.sync += level.eq((level | (up & fewer)) & (more | ~down))

    def _ring(self, what, step):
        """Row numbers of all lanes, bit by bit: they count modulo queue_depth where ``step``."""
        last = self.cfg.queue_depth - 1
        bits = [self._vector(f"{what}_{b}") for b in range(last.bit_length())]
        carry = step
        wraps = reduce(and_, (bit if last >> b & 1 else ~bit for b, bit in enumerate(bits)), step)
        for bit in bits:
            power = last & (last + 1) == 0
            self.m.d.sync += bit.eq((bit ^ carry) if power else (bit ^ carry) & ~wraps)
            carry = carry & bit
        return bits

    def queue(self, lane, bank, product):
        """Storage of a lane's queue; its head joins ``heads``."""
        shape = data.StructLayout({"bank": self.cfg.bank_bits - 1, "entry": self.cfg.entry_bits,
                                   "value": signed(self.cfg.acc_bits)})
        m, memory = self.m, Memory(shape=shape, depth=self.cfg.queue_depth, init=[])
        m.submodules[f"{self.name}_queue_{lane}"] = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.push[lane]),
            write.addr.eq(Cat(bit[lane] for bit in self.write_row)),
            read.addr.eq(Cat(bit[lane] for bit in self.read_row)),
            write.data.bank.eq(bank), write.data.value.eq(product.value),
            write.data.entry.eq(entry_of(self.cfg, product.address)),
        ]
        self.heads.append(read.data)

    def arbitrate(self, odd, banks):
        """Each bank takes the first head that wants it, from the lowest or the highest lane on."""
        m, lanes, width = self.m, self.cfg.lanes, len(banks)

        def signals(what):
            return [Signal(width, name=f"{self.name}_{what}_{lane}") for lane in range(lanes)]
        wants, below, above, wins = map(signals, ("wants", "below", "above", "wins"))
        for lane, head in enumerate(self.heads):
            m.d.comb += [
                wants[lane].eq(self.holds[lane] << head.bank),
                below[lane].eq(wants[lane - 1] | below[lane - 1] if lane else 0),
                above[lane].eq(wants[lane + 1] | above[lane + 1] if lane + 1 < lanes else 0),
                wins[lane].eq(wants[lane] & ~Mux(odd, above[lane], below[lane])),
                self.pop[lane].eq(wins[lane].any()),
            ]
        for n, bank in enumerate(banks):
            winner = Signal.like(self.heads[0].as_value(), name=f"{self.name}_head_{n}")
            m.d.comb += [
                winner.eq(reduce(or_, (Mux(wins[lane][n], head.as_value(), 0)
                                       for lane, head in enumerate(self.heads)))),
                bank.valid.eq((wants[0] | below[0] | above[0])[n]),
                bank.entry.eq(winner[self.cfg.bank_bits - 1:]),
                bank.value.eq(winner[self.cfg.bank_bits - 1 + self.cfg.entry_bits:]),
            ]
