"""Runs compiled programs on the RTL of S² Engine: outputs, cycles and counters of each."""

from golden.s2engine import decode
from hw.common.stationary.engine import CAUSES
from hw.s2engine.pe import PE
from hw.s2engine.top import Top
from sim.common.design import DesignRTL
from sim.s2engine.cover import FACTS, POINTS

RTL = DesignRTL("s2engine", Top, causes=CAUSES, outputs=decode.outputs,
                blocks=lambda config: (PE,), points=POINTS, facts=FACTS)
