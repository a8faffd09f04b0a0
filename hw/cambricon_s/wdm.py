# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: weight decoder module.
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

ENTRIES = 256       # of a codebook: indices of 8 bits


class WDM(wiring.Component):
    """Weight decoder module of one PE: codebook indices to synapses.

    Two sides of `ENTRIES` synapses each; lanes read one side while the other is written. With
    ``plain``, a synapse passes as it is (its low `data_bits`). Registered: what is offered in cycle
    t is at the output in t + 1. Never stalls; a write of cycle t is seen by reads from t + 1 on.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    write : In(Signature): ``en``, ``side``, ``index``, ``value``
        One entry per cycle.
    used : In(range(ENTRIES + 1))
        Entries of the codebook that is read.
    side : In(1)
    plain : In(1)
    valid : In(tn)
        Lanes whose index counts.
    index : In(16).array(tn)
    synapse : Out(signed(data_bits)).array(tn)
    error : Out(1)
        High in the cycle after an index beyond the codebook was offered in a valid lane.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "write": In(wiring.Signature({
                "en": Out(1), "side": Out(1), "index": Out(range(ENTRIES)),
                "value": Out(signed(cfg.data_bits))})),
            "used": In(range(ENTRIES + 1)),
            "side": In(1),
            "plain": In(1),
            "valid": In(cfg.tn),
            "index": In(16).array(cfg.tn),
            "synapse": Out(signed(cfg.data_bits)).array(cfg.tn),
            "error": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        # One memory with a read port per lane: a codebook is small, and a macro per lane is not.
        m.submodules.codebook = codebook = Memory(shape=signed(cfg.data_bits), depth=2 * ENTRIES,
                                                  init=[])
        write = codebook.write_port()
        m.d.comb += [write.en.eq(self.write.en), write.data.eq(self.write.value),
                     write.addr.eq(Cat(self.write.index, self.write.side))]
        beyond = Signal(cfg.tn)
        plain = Signal()
        m.d.sync += [self.error.eq(beyond.any()), plain.eq(self.plain)]
        for n in range(cfg.tn):
            read = codebook.read_port(domain="sync")
            passed = Signal(signed(cfg.data_bits), name=f"passed_{n}")
            m.d.comb += [
                read.addr.eq(Cat(self.index[n][:8], self.side)), read.en.eq(1),
                beyond[n].eq(self.valid[n] & ~self.plain & (self.index[n] >= self.used)),
                self.synapse[n].eq(Mux(plain, passed, read.data)),
            ]
            m.d.sync += passed.eq(self.index[n][:cfg.data_bits].as_signed())
        return m
