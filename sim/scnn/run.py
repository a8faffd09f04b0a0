"""Runs compiled programs on the RTL of SCNN: outputs, cycles and counters of each."""

from golden.scnn import decode
from hw.scnn.collector import RowCollector
from hw.scnn.engine import CAUSES
from hw.scnn.pe import PE
from hw.scnn.top import Top
from sim.common.design import DesignRTL
from sim.scnn.cover import FACTS, POINTS

RTL = DesignRTL("scnn", Top, causes=CAUSES, outputs=decode.outputs,
                blocks=lambda config: (PE, RowCollector), points=POINTS, facts=FACTS)
