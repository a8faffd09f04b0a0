"""Counting what many units do: one cause per unit and cycle, one counter per cause."""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.check import require
from hw.common.numeric import adder_tree


class CauseCounters(wiring.Component):
    """Adds up the cause codes of ``sources`` units: unit-cycles per cause.

    Every cycle with ``enable`` high, each source adds one to the counter of its code; a code that
    is no cause counts nowhere. So the counters sum to ``sources`` times the enabled cycles, modulo
    2**width. Latency: the codes of cycle t are in the counters in cycle t + 2. ``clear`` in cycle t
    zeroes them and forgets the codes of cycles t - 1 and t.

    Parameters
    ----------
    sources : int
        Units, at least 1.
    causes : int
        Causes, at least 1; codes are 0 to ``causes - 1``.
    width : int
        Bits of a counter, which wraps; at least 1.

    Members
    -------
    cause : In(range(causes)).array(sources)
        The codes of this cycle.
    enable, clear : In(1)
    count : Out(width).array(causes)
    """
    def __init__(self, sources, causes, width):
        for name, value in {"sources": sources, "causes": causes, "width": width}.items():
            require(self, value >= 1, f"{name} of CauseCounters must be at least 1, not {value}")
        self.sources = sources
        self.causes = causes
        self.width = width
        super().__init__({
            "cause": In(range(causes)).array(sources),
            "enable": In(1),
            "clear": In(1),
            "count": Out(width).array(causes),
        })

    def elaborate(self, platform):
        m = Module()
        for code in range(self.causes):
            # Counting the sources and adding to a wide counter are two steps, for the clock's sake.
            now = Signal(range(self.sources + 1), name=f"now_{code}")
            m.d.sync += [
                now.eq(Mux(self.enable & ~self.clear, self._sources_with(m, code), 0)),
                self.count[code].eq(Mux(self.clear, 0, self.count[code] + now)),
            ]
        return m

    def _sources_with(self, m, code):
        hits = [cause == code for cause in self.cause]
        return adder_tree(hits, m=m, name=f"sum_{code}")
