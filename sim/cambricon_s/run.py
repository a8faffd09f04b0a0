"""Runs compiled programs on the RTL of Cambricon-S: outputs, cycles and counters of each."""

from golden.cambricon_s import decode
from hw.cambricon_s.engine import CAUSES
from hw.cambricon_s.pe import PE
from hw.cambricon_s.top import Top
from sim.cambricon_s.cover import FACTS, POINTS
from sim.common.design import DesignRTL

RTL = DesignRTL("cambricon_s", Top, causes=CAUSES, outputs=decode.outputs,
                blocks=lambda config: (PE,), pes=lambda config: config.tm, points=POINTS,
                facts=FACTS)
