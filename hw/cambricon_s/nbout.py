# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V: output neuron buffer.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class NBout(wiring.Component):
    """Output neuron buffer: two sides of vectors of Tm partial sums.

    The NFU reads and writes the one side, STORE reads the other; of a side that both read, the NFU
    gets its vector. A read follows its address by a cycle; a write in t is seen by reads of
    cycle t too.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    read, store : In({side, vector}); ``read`` has ``en``
    sums, stored : Out(Tm · acc_bits)
    write : In({en, side, vector, data})
    """

    def __init__(self, cfg):
        self.cfg = cfg
        place = {"side": 1, "vector": range(cfg.nbout_vectors)}
        bits = cfg.tm * cfg.acc_bits
        super().__init__({
            "read": In(data.StructLayout({"en": 1, **place})),
            "store": In(data.StructLayout(place)),
            "write": In(data.StructLayout({"en": 1, **place, "data": bits})),
            "sums": Out(bits), "stored": Out(bits)})

    def elaborate(self, platform):
        m = Module()
        cfg, out = self.cfg, []
        for side in range(2):
            m.submodules[f"side_{side}"] = memory = Memory(shape=cfg.tm * cfg.acc_bits,
                                                           depth=cfg.nbout_vectors, init=[])
            write = memory.write_port()
            # Two segments of one vector may follow each other.
            read = memory.read_port(transparent_for=(write,))
            mine = self.read.en & (self.read.side == side)
            m.d.comb += [
                write.en.eq(self.write.en & (self.write.side == side)),
                write.addr.eq(self.write.vector), write.data.eq(self.write.data),
                read.addr.eq(Mux(mine, self.read.vector, self.store.vector)),
            ]
            out.append(read.data)
        sides = Signal(2)
        m.d.sync += sides.eq(Cat(self.read.side, self.store.side))
        m.d.comb += [self.sums.eq(Mux(sides[0], out[1], out[0])),
                     self.stored.eq(Mux(sides[1], out[1], out[0]))]
        return m
