# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: weight decoder module.
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.select import select

from .config import ENTRIES


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
    write : In(Signature): ``en``, ``side``, ``row``, ``data``
        As many entries as a beat has, from ``row`` times as many on.
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
                "en": Out(1), "side": Out(1), "row": Out(range(max(2, cfg.book_rows))),
                "data": Out(cfg.memory_bits)})),
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
        # Its rows are beats, so that it is written as fast as it comes.
        entries = cfg.memory_bits // cfg.data_bits
        low = entries.bit_length() - 1
        m.submodules.codebook = codebook = Memory(shape=cfg.memory_bits, depth=2 * cfg.book_rows,
                                                  init=[])
        write = codebook.write_port()
        m.d.comb += [write.en.eq(self.write.en), write.data.eq(self.write.data),
                     write.addr.eq(self.write.side * cfg.book_rows + self.write.row)]
        beyond = Signal(cfg.tn)
        plain = Signal(reset_less=True)
        m.d.sync += [self.error.eq(beyond.any()), plain.eq(self.plain)]
        for n in range(cfg.tn):
            read = codebook.read_port(domain="sync")
            passed = Signal(signed(cfg.data_bits), name=f"passed_{n}", reset_less=True)
            place = Signal(low, name=f"place_{n}", reset_less=True)
            found = select([read.data[k:k + cfg.data_bits]
                            for k in range(0, cfg.memory_bits, cfg.data_bits)], place)
            m.d.comb += [
                read.addr.eq(self.side * cfg.book_rows + self.index[n][low:8]), read.en.eq(1),
                beyond[n].eq(self.valid[n] & ~self.plain & (self.index[n] >= self.used)),
                self.synapse[n].eq(Mux(plain, passed, found)),
            ]
            m.d.sync += [passed.eq(self.index[n][:cfg.data_bits]), place.eq(self.index[n])]
        return m
