# Ref: Yu et al., "Multiply-and-Fire", Section 5.2.3: end-of-data events, at the storage PE.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .layouts import result_layout

QUIET = 64      # cycles: more than the way through any mesh


class Ends(wiring.Component):
    """Counts the ends that PEs owe: one for each pass in which they fire.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    begin : In(nodes)
        These PEs owe one more.
    result : In(valid, result_layout(cfg)).array(ports)
        A result that was taken in this cycle.
    still : In(1)
        Nothing is in any PE, nothing arrives.
    none : Out(1)
        Nobody owes anything.
    twice, missing : Out(valid, source)
        An end that nobody owed; one that does not come, as all has been still for ``QUIET`` cycles.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        node = data.StructLayout({"valid": 1, "source": range(cfg.nodes)})
        super().__init__({
            "begin": In(cfg.nodes),
            "result": In(data.StructLayout({
                "valid": 1, "result": result_layout(cfg)})).array(cfg.ports),
            "still": In(1), "none": Out(1), "twice": Out(node), "missing": Out(node)})

    def elaborate(self, platform):
        m = Module()
        owed, quiet = Signal(self.cfg.nodes), Signal(range(QUIET + 1))
        m.d.comb += self.none.eq(~owed.any())
        with m.If(~self.still | self.none):
            m.d.sync += quiet.eq(0)
        with m.Elif(quiet != QUIET):
            m.d.sync += quiet.eq(quiet + 1)
        for node in reversed(range(1, self.cfg.nodes)):
            came = Signal(name=f"came_{node}")
            count = Signal(8, name=f"count_{node}")
            m.d.comb += [
                came.eq(Cat(r.valid & r.result.end & (r.result.source == node)
                            for r in self.result).any()),
                owed[node].eq(count.any())]
            m.d.sync += count.eq(count + self.begin[node] - (came & owed[node]))
            for condition, what in ((came & ~owed[node], self.twice),
                                    (owed[node] & (quiet == QUIET), self.missing)):
                with m.If(condition):
                    m.d.comb += [what.valid.eq(1), what.source.eq(node)]
        return m
